# The 91 images of Yang et al. (the smallest side is 78), to be shrunk; the early papers' set.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="T91",
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=36),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
