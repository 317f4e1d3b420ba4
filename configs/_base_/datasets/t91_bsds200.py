# "291": the 91 images of Yang et al. and the 200 training images of BSDS300 (BSDS200), to be
# shrunk, turned and flipped. Papers also shrink them beforehand, by factors down to 0.5 or 0.6:
# that has no transform yet.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder=["T91", "BSDS200"],
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=36),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
