# For two CPU cores: narrow networks that are added to their input, so that an untrained cleaner
# changes nothing and an untrained degradation is the bicubic reduction, and narrow discriminators.
# The inner cycle is trained for a third of the run, then both. The outer adversarial loss is
# light, as the re-implementations found necessary. There is no total variation: this camera's LR
# is softer than bicubic reductions and hardly noisy, and the paper's weights only blur it further.
# The network that enlarges was trained on bicubic reductions.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsrv3crops_cpu.py",
    "../_base_/tasks/cincgan.py",
]
scale = 4
__form = dict(width=24, num_blocks=3, use_bn=False, residual=True)
__edsr = "work_dirs/edsr_realsrv3crops_bicubic_x4_cpu/backbone.safetensors"
backbone = dict(
    cleaner=__form,
    enlarger=dict(num_blocks=4, num_features=32, start_from=dict(checkpoint=__edsr)),
)
degradation = __form
model = dict(
    reverse=__form,
    lr_discriminator=dict(width=16),
    hr_discriminator=dict(width=16),
    inner_gan_loss=dict(weight=0.1),
    inner_tv_loss=dict(weight=0.0),
    gan_loss=dict(weight=0.02),
    tv_loss=dict(weight=0.0),
    inner_first=200,
)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999)))
__outer = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    cleaner_step=__adam,
    reverse_step=__adam,
    lr_discriminator_step=__adam,
    enlarger_step=__outer,
    degradation_step=__outer,
    hr_discriminator_step=__outer,
)
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-6)
default_hooks = dict(checkpoint=dict(interval=200))
train_cfg = dict(type="IterTrainLoop", max_iters=600, val_interval=200)
