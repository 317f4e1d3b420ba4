# Degradation and network jointly, small, for two CPU cores: HR of one scene and LR of another of
# the RealSR V3 crops, validated on pairs. The degradation learns alone for 100 iterations.
# DSGAN's discriminator: against the authors', kernels drift in so short a training.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsrv3crops_cpu.py",
    "../_base_/degradations/pdm_cpu.py",
    "../_base_/tasks/super_resolution.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=200))
backbone = dict(type="EDSR", num_blocks=4, num_features=32)
model = dict(
    type="UnpairedSuperResolution",
    loss=dict(type="L1Loss", weight=1.0),
    lr_loss=None,
    lr_discriminator=dict(type="DSGANDiscriminator", width=16),
    lr_gan_loss=dict(type="LSGANLoss", weight=2.0),
    degradation_first=100,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=5e-4))
__judge = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    degradation_step=__judge,
    lr_discriminator_step=__judge,
    backbone_step=__adam,
)
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
train_cfg = dict(type="IterTrainLoop", max_iters=600, val_interval=200)
