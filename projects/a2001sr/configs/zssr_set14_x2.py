# The second exercise on whole photos of a folder, reduced here by MATLAB's bicubic reduction.
_base_ = "zssr_set5_x2.py"
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        split="Set14",
        folder="Set14",
        transforms=[
            dict(type="ModCrop"),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    )
)
test_dataloader = val_dataloader
