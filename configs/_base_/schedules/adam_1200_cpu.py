# About four minutes on one CPU core for the small VDSR.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.9, 0.999)))
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
train_cfg = dict(type="IterTrainLoop", max_iters=1200, val_interval=1200)
