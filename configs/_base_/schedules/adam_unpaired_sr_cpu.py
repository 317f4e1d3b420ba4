# A few minutes on one CPU core for small players: the degradation and the network, each with a
# discriminator.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=5e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    degradation_step=__adam,
    lr_discriminator_step=__adam,
    sr_discriminator_step=__adam,
    backbone_step=__adam,
)
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
train_cfg = dict(type="IterTrainLoop", max_iters=600, val_interval=200)
