# DSGAN's own data: HR patches of 512 are reduced to 128, and patches of 128 of the same photos, at
# their own pixel scale, are what a real LR image looks like. Name the folder of the photos whose
# look is wanted (the paper: DF2K after Gaussian noise of sigma 8 or JPEG of quality 30; DPED).
same_size = False
batch_size = 16
hr_folders = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR"]
__photos = dict(type="HRFolderDataset", too_small="skip")
__hr = [dict(type="PairedCrop", patch_size=512), dict(type="PackSample")]
__lr = [dict(type="PairedCrop", patch_size=128), dict(type="PackSample")]
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="UnpairedDataset",
        real="hr",
        datasets=[dict(__photos, transforms=__hr), dict(__photos, transforms=__lr)],
    ),
)
