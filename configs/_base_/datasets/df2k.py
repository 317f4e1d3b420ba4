# DIV2K and Flickr2K, to be shrunk.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder=["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR"],
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
