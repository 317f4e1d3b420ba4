# A few minutes on one CPU core for a small network and a small discriminator.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.9, 0.99)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", backbone_step=__adam, discriminator_step=__adam
)
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-6)
train_cfg = dict(type="IterTrainLoop", max_iters=600, val_interval=600)
