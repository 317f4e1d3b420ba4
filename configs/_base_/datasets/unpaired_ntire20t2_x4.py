# DIV2K's photos in HR and photos of an iPhone (NTIRE 2020, track 2), as unpaired data for x4.
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
            dict(__photos, folder="DIV2K/DIV2K_train_HR", transforms=__hr),
            dict(__photos, folder="NTIRE2020/track2/train_source", transforms=__lr),
        ],
    ),
)
