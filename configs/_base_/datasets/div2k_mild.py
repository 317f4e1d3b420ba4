# DIV2K's "realistic mild" pairs of NTIRE 2018 (x4; 0001x4m.png): blurred, noisy, displaced.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="PairedFolderDataset",
        hr_dir="DIV2K/DIV2K_train_HR",
        lr_dir="DIV2K/DIV2K_train_LR_mild",
        lr_pattern="{name}x{scale}m",
        transforms=[
            dict(type="PairedCrop", patch_size=192),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="PairedFolderDataset",
        split="valid",
        hr_dir="DIV2K/DIV2K_valid_HR",
        lr_dir="DIV2K/DIV2K_valid_LR_mild",
        lr_pattern="{name}x{scale}m",
        transforms=[dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
