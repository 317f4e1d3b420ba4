# DRealSR as released: LR is `scale` times smaller than HR. Its training images are patches.
_base_ = "realsr_v2.py"
same_size = False
patch_size = 192
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="DRealSRDataset",
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="DRealSRDataset",
        split="test",
        transforms=[dict(type="ModCrop"), dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
