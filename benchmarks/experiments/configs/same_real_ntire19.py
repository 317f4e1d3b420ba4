# The small VDSR on real pairs of one camera.
_base_ = [
    "../../../configs/_base_/settings/super_resolution_cpu.py",
    "../../../configs/_base_/datasets/ntire19.py",
]
scale = 4
patch_size = 72
batch_size = 8
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
train_dataloader = dict(num_workers=0, persistent_workers=False)
