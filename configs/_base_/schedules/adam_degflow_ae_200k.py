# DegFlow's first stage: 5,000 iterations of warm-up, then a cosine.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.9)))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=1 / 5000, begin=0, end=5000),
    dict(type="CosineAnnealingLR", by_epoch=False, T_max=200_000, eta_min=1e-7),
]
train_cfg = dict(type="IterTrainLoop", max_iters=200_000, val_interval=20_000)
