# NTIRE 2020, track 1 (authors' options/train/psnr/2020Track1.yml): kernels of 11 x 11 and noise
# with a code per pixel, jointly with EDSR, which the authors begin with its weights for bicubic LR.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_ntire20t1_x4.py",
    "../_base_/degradations/pdm.py",
    "../_base_/schedules/adam_unpaired_200k.py",
]
scale = 4
degradation = dict(kernel_size=11, noise_spatial=True, noise_weight=100.0)
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
