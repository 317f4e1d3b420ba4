# NTIRE 2019 real super-resolution: LR lies on the HR grid. On a CPU many small batches go further
# than few large ones: 4 patches of 64 cost a fifth of 8 patches of 96.
_base_ = "realsr_v2.py"
patch_size = 64
batch_size = 4
train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type="NTIRE19Dataset",
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
        # All pairs stay decoded: reading a photo of 3000 px costs more than an iteration.
        cache_mb=1024,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        _delete_=True,
        type="NTIRE19Dataset",
        split="test",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
