# EDSR baseline: patches of 48 LR pixels, 1e-4 halved after 200K of 300K iterations. The paper
# begins x3 and x4 with the weights of x2, the tail apart.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_300k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
backbone = dict(type="EDSR")
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.5)
