# T91 in small patches for two CPU cores, all of it decoded once.
_base_ = "set5.py"
patch_size = 48
flip = dict(transpose=True)
batch_size = 8
hr_folders = "T91"
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset",
        too_small="skip",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
