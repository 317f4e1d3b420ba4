# RDN: patches of 32 LR pixels, 200 epochs of 1000 iterations. x3 and x4 begin with x2.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
per_scale = {2: dict(patch_size=64), 4: {}}
patch_size = 128
backbone = dict(type="RDN")
train_cfg = dict(max_iters=200_000)
