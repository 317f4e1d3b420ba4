# 50,000 photos of ImageNet, to be shrunk. Which ones the papers took is not known: take any.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="ImageNet50K",
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=100),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
