# DIV2K, Flickr2K and the 10,324 photos of OutdoorSceneTraining, to be degraded. Set5, whose LR is
# bicubic, says little about a network for real photos: give your own photos to `realdeg infer`.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder=["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR", "OST"],
        recursive=True,
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=256),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
