# HR of half of DIV2K's photos, and "unknown" LR of the other half (NTIRE 2017, track 2), as
# unpaired data for x4.
same_size = False
batch_size = 32
__flip = dict(type="Flip", transpose=True)
__photos = dict(type="HRFolderDataset", too_small="skip")
__hr = [dict(type="PairedCrop", patch_size=128), __flip, dict(type="PackSample")]
__lr = [dict(type="PairedCrop", patch_size=32), __flip, dict(type="PackSample")]
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="UnpairedDataset",
        real="hr",
        datasets=[
            dict(__photos, folder="DIV2K/DIV2K_train_HR", pattern="0[0-3]*", transforms=__hr),
            dict(
                __photos,
                folder="DIV2K/DIV2K_train_LR_unknown/X4",
                pattern="0[4-7]*",
                transforms=__lr,
            ),
        ],
    ),
)
