# FKP (Liang et al., CVPR 2021), as in its code: 100 epochs; the rate is halved at 40, 50, 60, 70,
# 80 and 90 epochs.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/degradations/flow_kernel.py",
    "../_base_/tasks/kernel_likelihood.py",
]
scale = 2
same_size = False
per_scale = {2: {}, 3: {}, 4: {}}
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, weight_decay=1e-6))
param_scheduler = dict(
    type="MultiStepLR",
    by_epoch=False,
    milestones=[20_000, 25_000, 30_000, 35_000, 40_000, 45_000],
    gamma=0.5,
)
train_cfg = dict(type="IterTrainLoop", max_iters=50_000)
