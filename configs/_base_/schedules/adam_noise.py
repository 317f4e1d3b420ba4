# A few hundred numbers, and thousands of pixels in a patch for each: a high rate that falls soon.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-2, betas=(0.9, 0.999)))
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=2e-4)
train_cfg = dict(type="IterTrainLoop", max_iters=2000, val_interval=2000)
