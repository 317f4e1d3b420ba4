# T91 in small patches for two CPU cores, all of it decoded once.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="T91",
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=48),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
