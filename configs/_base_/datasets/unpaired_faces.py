# Faces of 64 x 64 pixels, and small faces of Widerface of 16 x 16, never of the same person, in the
# folders of the archive of Bulat, Yang, Tzimiropoulos (ECCV 2018). Nobody knows the true HR of the
# small faces.
scale = 4
same_size = False
batch_size = 64
__faces = dict(type="HRFolderDataset", too_small="skip")
__hr = [dict(type="PairedCrop", patch_size=64), dict(type="PackSample")]
__lr = [dict(type="PairedCrop", patch_size=16), dict(type="PackSample")]
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="UnpairedDataset",
        real="hr",
        datasets=[
            dict(__faces, folder="HIGH", recursive=True, transforms=__hr),
            dict(__faces, folder="LOW/wider_lnew", transforms=__lr),
        ],
    ),
)
