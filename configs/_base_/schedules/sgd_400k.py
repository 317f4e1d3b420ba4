# VDSR's shape: SGD with momentum, a tenth of the rate after every quarter. The papers count epochs
# over patches that are cut once and for all; patches are drawn at random here, and 400K is ours.
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[100_000, 200_000, 300_000], gamma=0.1
)
train_cfg = dict(type="IterTrainLoop", max_iters=400_000, val_interval=10_000)
