# CinCGAN with the paper's weights: inner cycle 1 (adversarial), 10 (cycle), 5 (identity, 1 once
# both cycles are trained), 0.5 (total variation); outer cycle 1, 10, 5, 2. LSGANLoss has a factor
# of 1/2, the paper has none: hence 2.
_base_ = "super_resolution.py"
__mse = dict(criterion="mse")
__tv = dict(type="TVLoss", form="squared", border="valid")
backbone = dict(
    type="CleanThenEnlarge", cleaner=dict(type="CinCGANTranslator"), enlarger=dict(type="EDSR")
)
degradation = dict(type="CinCGANDegradation")
model = dict(
    type="CinCGAN",
    reverse=dict(type="CinCGANTranslator"),
    lr_discriminator=dict(type="CinCGANDiscriminator", form="lr"),
    hr_discriminator=dict(type="CinCGANDiscriminator", form="hr"),
    inner_gan_loss=dict(type="LSGANLoss", weight=2.0),
    inner_cycle_loss=dict(type="CycleLoss", weight=10.0, **__mse),
    inner_identity_loss=dict(type="IdentityLoss", weight=5.0, **__mse),
    inner_tv_loss=dict(__tv, weight=0.5),
    identity_jointly=0.2,
    gan_loss=dict(type="LSGANLoss", weight=2.0),
    cycle_loss=dict(type="CycleLoss", weight=10.0, **__mse),
    loss=dict(type="IdentityLoss", weight=5.0, **__mse),
    tv_loss=dict(__tv, weight=2.0),
)
# Several processes: the task averages the gradients of its players itself.
model_wrapper_cfg = dict(type="ManualGradientSync")
