# DIV2K's "realistic mild" pairs of NTIRE 2018 (x4; 0001x4m.png): blurred, noisy, displaced.
same_size = False
patch_size = 192
flip = dict(transpose=True)
batch_size = 16
__pairs = dict(type="PairedFolderDataset", lr_pattern="{name}x{scale}m")
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        **__pairs,
        hr_dir="DIV2K/DIV2K_train_HR",
        lr_dir="DIV2K/DIV2K_train_LR_mild",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        **__pairs,
        split="valid",
        hr_dir="DIV2K/DIV2K_valid_HR",
        lr_dir="DIV2K/DIV2K_valid_LR_mild",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
