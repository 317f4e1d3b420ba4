# City100's postcards before an iPhone X: LR lies on the HR grid, and 4 is a nominal scale, as the
# zoom is no whole number. On a CPU many small batches go further than few large ones.
_base_ = "ntire19.py"
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="City100Dataset",
        camera="iPhoneX",
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
        cache_mb=512,
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="City100Dataset",
        camera="iPhoneX",
        split="test",
        transforms=[dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
