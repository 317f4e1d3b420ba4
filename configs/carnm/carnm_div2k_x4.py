# CARN-M for one scale: batches of 64 patches of 64 LR pixels (patch 128 at x2, 192 at x3). The
# paper trains one network for scales 2, 3 and 4: docs/training.md, "Several scales in one network".
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_600k_half_400k.py"]
scale = 4
patch_size = 256
batch_size = 64
backbone = dict(type="CARNM", multi_scale=False)
optim_wrapper = dict(clip_grad=dict(max_norm=10))
