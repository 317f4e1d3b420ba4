# DSGAN's own data: HR patches of 512 are reduced to 128, and patches of 128 of the same photos, at
# their own pixel scale, are what a real LR image looks like. Name the folder of the photos whose
# look is wanted (the paper: DF2K after Gaussian noise of sigma 8 or JPEG of quality 30; DPED).
same_size = False
__photos = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR"]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_unpaired"),
    dataset=dict(
        type="UnpairedDataset",
        real="hr",
        datasets=[
            dict(
                type="HRFolderDataset",
                folder=__photos,
                too_small="skip",
                transforms=[dict(type="PairedCrop", patch_size=512), dict(type="PackSample")],
            ),
            dict(
                type="HRFolderDataset",
                folder=__photos,
                too_small="skip",
                transforms=[dict(type="PairedCrop", patch_size=128), dict(type="PackSample")],
            ),
        ],
    ),
)
