# DANv2's: Adam, the rate halved every 200K of 800K iterations. DANv1's is the first half.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=4e-4, betas=(0.9, 0.99)))
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[200_000, 400_000, 600_000], gamma=0.5
)
train_cfg = dict(type="IterTrainLoop", max_iters=800_000, val_interval=10_000)
