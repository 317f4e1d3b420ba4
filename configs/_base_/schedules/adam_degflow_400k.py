# DegFlow's second stage: a cosine.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.9, 0.999)))
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-7)
train_cfg = dict(type="IterTrainLoop", max_iters=400_000, val_interval=20_000)
