# NTIRE 2018, track 4 (authors' options/train/deg/2018Track4.yml): the degradation alone; any
# super-resolution recipe takes its file.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_div2k_wild_x4.py",
    "../_base_/degradations/pdm.py",
    "../_base_/schedules/adam_unpaired_200k.py",
]
scale = 4
degradation = dict(kernel_blocks=16, noise_blocks=16, noise_weight=100.0)
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
