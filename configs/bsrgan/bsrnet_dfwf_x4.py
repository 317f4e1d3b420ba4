# BSRNet, the first of two stages: absolute error, patches of 72 LR pixels, 1e-4 halved after 200K,
# 400K, 600K, 800K, 1M and 2M iterations. Batches of 48 are the paper's; KAIR's file has 4. It names
# no end: 2.4M is ours. KAIR initialises orthogonally with a gain of 0.2, realdeg as ESRGAN does.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfwf.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m.py",
    "../_base_/ema_999.py",
]
scale = 4
backbone = dict(type="RRDBNet")
param_scheduler = dict(
    type="MultiStepLR",
    by_epoch=False,
    milestones=[200_000, 400_000, 600_000, 800_000, 1_000_000, 2_000_000],
    gamma=0.5,
)
train_cfg = dict(max_iters=2_400_000)
