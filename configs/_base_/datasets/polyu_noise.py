# Crops of the PolyU real-world noisy images: the mean of many frames and one of them, as JPEG. One
# camera at ISO 6400: a stairway to learn from, a wall to test on.
same_size = False
patch_size = 128
batch_size = 4
__folder = dict(type="PairedFolderDataset", hr_dir="PolyU-noise", lr_dir="PolyU-noise")
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    dataset=dict(
        pattern="NikonD800_5_125_6400_stair_{name}_mean",
        lr_pattern="NikonD800_5_125_6400_stair_{name}_real",
        transforms=[dict(type="PairedCrop"), dict(type="PackSample")],
        **__folder,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pattern="NikonD800_5-6_160_6400_wall_{name}_mean",
        lr_pattern="NikonD800_5-6_160_6400_wall_{name}_real",
        transforms=[dict(type="PackSample")],
        **__folder,
    ),
)
test_dataloader = val_dataloader
