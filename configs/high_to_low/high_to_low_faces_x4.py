# Bulat, Yang, Tzimiropoulos, ECCV 2018, first stage alone: faces of 64 x 64 pixels to 16 x 16,
# unpaired with small faces of Widerface. 200 epochs of 64 (paper) over the 60,000 CelebA faces are
# 187,500 iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_faces.py",
    "../_base_/degradations/high_to_low.py",
]
model = dict(
    type="UnpairedDegradation",
    discriminator=dict(type="BulatDiscriminator", width=128, halvings=2, blocks=3),
    # Every pixel of the LR image against the mean of 4 x 4 pixels of HR.
    loss=dict(type="MSELoss", weight=1.0),
    low_pass_size=1,
    gan_loss=dict(type="HingeGANLoss", weight=0.05),
    perceptual_loss=None,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.0, 0.9)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__adam, discriminator_step=__adam
)
train_cfg = dict(type="IterTrainLoop", max_iters=187_500, val_interval=10_000)
