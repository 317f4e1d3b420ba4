# NTIRE 2017, track 2 (authors' options/train/psnr/2017Track2.yml): kernels and no noise, jointly
# with EDSR, which the authors begin with its weights for bicubic LR.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_div2k_unknown_x4.py",
    "../_base_/degradations/pdm.py",
    "../_base_/schedules/adam_unpaired_200k.py",
]
scale = 4
degradation = dict(kernel_code=64, kernel_blocks=16, noise=False, rounding="sines")
backbone = dict(type="EDSR")
model = dict(
    type="UnpairedSuperResolution",
    loss=dict(type="L1Loss", weight=1.0),
    lr_loss=None,
    lr_discriminator=dict(type="PDMDiscriminator", width=64, layers=3, stride=1),
    lr_gan_loss=dict(type="LSGANLoss", weight=2.0),
)
model_wrapper_cfg = dict(type="ManualGradientSync")
__adam = dict(
    type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4), clip_grad=dict(max_norm=50)
)
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    degradation_step=__adam,
    lr_discriminator_step=__adam,
    backbone_step=__adam,
)
