# PDM: the rates are halved after 50K, 100K and 150K of 200K iterations. A recipe names the players.
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[50_000, 100_000, 150_000], gamma=0.5
)
train_cfg = dict(type="IterTrainLoop", max_iters=200_000, val_interval=5000)
