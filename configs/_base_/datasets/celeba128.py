# Faces of 128 x 128 pixels. Cut and shrink CelebA beforehand (162,770 to train on).
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="CelebA128/train",
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", vertical=False),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        folder="CelebA128/test",
        split="test",
        transforms=[dict(type="CentreCrop", patch_size=128), dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
