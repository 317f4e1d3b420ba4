# CSNLN: patches of 48 LR pixels (144 at x3), 1000 epochs of 1000 iterations, each scale from the
# beginning. At 12 steps of 128 channels a batch of 16 needs several large GPUs.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
backbone = dict(type="CSNLN")
