# SwinIR's and HAT's: Adam, the rate halved after 250K, 400K, 450K and 475K of 500K iterations.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.9, 0.999)))
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[250_000, 400_000, 450_000, 475_000], gamma=0.5
)
train_cfg = dict(type="IterTrainLoop", max_iters=500_000, val_interval=10_000)
