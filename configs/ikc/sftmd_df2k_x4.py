# SFTMD, told the kernel's code: the first step of IKC. Batches of 32 patches of 64 LR pixels,
# absolute error, 1e-4 in four cosines of 125K iterations down to 1e-7.
_base_ = [
    "../_base_/settings/df2k.py",
    "../_base_/schedules/adam_1m_restart_250k.py",
]
scale = 4
patch_size = 256
batch_size = 32
backbone = dict(type="SFTMD")
degradation = dict(type="BlurDown", kind="IKC")
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = dict(periods=[125_000] * 4)
train_cfg = dict(max_iters=500_000)
