# ESRGAN's second stage: Adam for both networks, the rates halved after 50K, 100K, 200K and 300K of
# 400K iterations.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.99)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", backbone_step=__adam, discriminator_step=__adam
)
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[50_000, 100_000, 200_000, 300_000], gamma=0.5
)
train_cfg = dict(type="IterTrainLoop", max_iters=400_000, val_interval=10_000)
