# Faces of 32 x 32 pixels. Cut and shrink CelebA beforehand: how the paper cuts is not known to us.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="CelebA32/train",
        transforms=[dict(type="PairedCrop", patch_size=32), dict(type="PackSample")],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        folder="CelebA32/test",
        split="test",
        transforms=[dict(type="CentreCrop", patch_size=32), dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
