# The 300 images of the Berkeley segmentation data set, to be shrunk.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="BSDS300",
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=48),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
