# NTIRE 2020, track 2: the degradation alone, of the form that the authors train EDSR with
# (options/train/psnr/2020Track2.yml), whose file they call "deg_mse10".
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_ntire20t2_x4.py",
    "../_base_/degradations/pdm.py",
    "../_base_/schedules/adam_unpaired_200k.py",
]
scale = 4
degradation = dict(kernel_code=64, noise_weight=10.0)
model = dict(
    type="UnpairedDegradation",
    discriminator=dict(type="PDMDiscriminator", width=64, layers=3, stride=2),
    # Only the discriminator teaches it, and the penalty on the noise.
    loss=dict(type="L1Loss", weight=0.0),
    low_pass_size=1,
    gan_loss=dict(type="LSGANLoss", weight=2.0),
    perceptual_loss=None,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
__adam = dict(
    type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4), clip_grad=dict(max_norm=50)
)
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__adam, discriminator_step=__adam
)
