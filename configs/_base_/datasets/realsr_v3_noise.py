# Large patches without flips: noise has a past, and the mean of its differences is removed.
_base_ = "realsr_v3.py"
patch_size = 384
batch_size = 4
train_dataloader = dict(
    dataset=dict(transforms=[dict(type="PairedCrop"), dict(type="PackSample")]),
)
