# The photos of BSDS200 reduced by the bicubic filter, patches of 24 LR pixels; Set5 to test.
_base_ = [
    "../../../configs/_base_/settings/benchmark.py",
    "../../../configs/_base_/datasets/hr_folders.py",
    "../../../configs/_base_/datasets/set5.py",
    "../../../configs/_base_/schedules/adam_1200_cpu.py",
]
scale = 4
patch_size = 96
batch_size = 8
hr_folders = "BSDS500/train"
backbone = dict(type="EDSR", num_features=32, num_blocks=8)
train_dataloader = dict(num_workers=0, persistent_workers=False)
