# One network at LR resolution on real pairs of the RealSR V3 crops: the base of every row.
_base_ = [
    "../../../configs/_base_/settings/super_resolution_cpu.py",
    "../../../configs/_base_/datasets/realsr_v3_crops.py",
]
scale = 4
patch_size = 96
batch_size = 8
backbone = dict(type="SRVGGNetCompact", num_features=32, num_convs=10)
model = dict(loss=dict(type="L1Loss"))
train_dataloader = dict(num_workers=0)
