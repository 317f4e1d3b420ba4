# CARN's: Adam, the rate halved after 400K of 600K iterations.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[400_000], gamma=0.5)
train_cfg = dict(type="IterTrainLoop", max_iters=600_000, val_interval=10_000)
