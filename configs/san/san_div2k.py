# SAN as the authors' code trains: patches of 48 LR pixels (96 at x2, 144 at x3, 384 at x8), six
# tenths of the rate after every 50 epochs of 1000 iterations, each scale from the beginning. The
# paper itself says batches of 8, as far as we know, and half the rate after every 200 epochs.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
backbone = dict(type="SAN")
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))
param_scheduler = dict(milestones=[50_000 * step for step in range(1, 20)], gamma=0.6)
