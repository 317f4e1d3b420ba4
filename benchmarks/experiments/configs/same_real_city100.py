# The small VDSR on real pairs of one camera.
_base_ = [
    "../../../configs/_base_/settings/super_resolution_cpu.py",
    "../../../configs/_base_/datasets/city100.py",
]
scale = 4
patch_size = 72
batch_size = 8
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(ids="1-24"))
val_dataloader = dict(dataset=dict(ids="51-56"))
test_dataloader = val_dataloader
