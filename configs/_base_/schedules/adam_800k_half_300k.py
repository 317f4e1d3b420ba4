# HAT's first stage on ImageNet: Adam, the rate halved five times in 800K iterations.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(
    type="MultiStepLR",
    by_epoch=False,
    milestones=[300_000, 500_000, 650_000, 700_000, 750_000],
    gamma=0.5,
)
train_cfg = dict(type="IterTrainLoop", max_iters=800_000, val_interval=10_000)
