# The second exercise on the middle 256 pixels of each photo of a folder, reduced here.
_base_ = "zssr_set5_x2.py"
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        split="Kodak",
        folder="Kodak24",
        transforms=[
            dict(type="CentreCrop", patch_size=256),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    )
)
test_dataloader = val_dataloader
