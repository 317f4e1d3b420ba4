# Adam, a tenth of the rate for the second half of 300K iterations.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[150_000], gamma=0.1)
train_cfg = dict(type="IterTrainLoop", max_iters=300_000, val_interval=10_000)
