# SPAN: batches of 64 patches of 256, 5e-4, halved every 200K of 1M iterations.
_base_ = ["../_base_/settings/df2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
patch_size = 256
batch_size = 64
backbone = dict(type="SPAN")
optim_wrapper = dict(optimizer=dict(lr=5e-4, betas=(0.9, 0.99)))
