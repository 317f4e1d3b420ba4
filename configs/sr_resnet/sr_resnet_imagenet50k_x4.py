# SRResNet: squared error, patches of 96, 1e-4 for 1M iterations. The paper has 350,000 photos of
# ImageNet and [-1, 1] for its loss.
_base_ = [
    "../_base_/settings/benchmark.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
patch_size = 96
batch_size = 16
backbone = dict(type="SRResNet")
model = dict(loss=dict(type="MSELoss"))
