# Faces of 32 x 32 pixels. Cut and shrink CelebA beforehand: how the paper cuts is not known to us.
patch_size = 32
batch_size = 32
hr_folders = "CelebA32/train"
same_size = False
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset", transforms=[dict(type="PairedCrop"), dict(type="PackSample")]
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        folder="CelebA32/test",
        split="test",
        transforms=[dict(type="CentreCrop", patch_size=32), dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
