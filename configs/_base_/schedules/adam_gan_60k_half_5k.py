# ESRGAN-FS: Adam for both networks, the rates halved after 5K, 10K, 20K and 30K of 60K iterations.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", backbone_step=__adam, discriminator_step=__adam
)
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[5000, 10_000, 20_000, 30_000], gamma=0.5
)
train_cfg = dict(type="IterTrainLoop", max_iters=60_000, val_interval=5000)
