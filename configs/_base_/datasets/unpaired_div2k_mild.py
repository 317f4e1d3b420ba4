# DIV2K's "realistic mild" images of NTIRE 2018 without their pairs: HR of one scene, LR of another.
# Validated on pairs.
_base_ = "div2k_mild.py"
patch_size = 128
__scenes = dict(
    type="PairedFolderDataset",
    lr_pattern="{name}x{scale}m",
    hr_dir="DIV2K/DIV2K_train_HR",
    lr_dir="DIV2K/DIV2K_train_LR_mild",
    transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type="UnpairedDataset", real="lr", datasets=[__scenes, __scenes])
)
