# ImageNet's training photos in their folders of classes, to be shrunk.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="ImageNet/train",
        recursive=True,
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=192),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
