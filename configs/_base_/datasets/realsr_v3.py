# RealSR V3: LR is `scale` times smaller than HR.
_base_ = "realsr_v2.py"
same_size = False
train_dataloader = dict(dataset=dict(version=3))
# Not every HR image of the release divides by the scale.
val_dataloader = dict(
    dataset=dict(version=3, transforms=[dict(type="ModCrop"), dict(type="PackSample")])
)
test_dataloader = val_dataloader
