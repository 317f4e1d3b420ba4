# RCAN of its own paper: 10 groups of 20 blocks, patches of 48 LR pixels. x3, x4 and x8 begin with
# x2.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
backbone = dict(type="RCAN")
