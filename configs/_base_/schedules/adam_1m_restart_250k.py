# MSRResNet's: Adam, four cosines of 250K iterations, each from the full rate down to 1e-7.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(
    type="CosineRestartLR",
    by_epoch=False,
    periods=[250_000] * 4,
    restart_weights=[1, 1, 1, 1],
    eta_min=1e-7,
)
train_cfg = dict(type="IterTrainLoop", max_iters=1_000_000, val_interval=10_000)
