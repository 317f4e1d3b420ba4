# IRCNN: one denoiser of the 25 that IRCNNHQS plugs in (sigma 2, 4, ... 50; this one 15). Patches of
# 35; the rate falls from 1e-3 to 1e-4 when the error stalls, here after half. The paper trains with
# batch normalisation, merged into the convolutions afterwards, and starts low noise from the
# networks of more noise; the network has no such layers here. Length and batch are not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/noise.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 1
backbone = dict(type="IRCNN")
degradation = dict(type="AWGN", sigma=15, clip=False)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[150_000], gamma=0.1)
