# Bulat, Yang, Tzimiropoulos, ECCV 2018: two GANs in one run. In both, squared error weighs 1 and
# the hinge loss of the discriminator 0.05: of generated LR against the mean of 4 x 4 pixels of HR,
# and of SR against HR. Measured as real photos are.
_base_ = "super_resolution.py"
model = dict(
    type="UnpairedSuperResolution",
    loss=dict(type="MSELoss", weight=1.0),
    lr_loss=dict(type="MSELoss", weight=1.0),
    low_pass_size=1,
    lr_discriminator=dict(type="BulatDiscriminator", width=128, halvings=2, blocks=3),
    lr_gan_loss=dict(type="HingeGANLoss", weight=0.05),
    sr_discriminator=dict(type="BulatDiscriminator", width=128, halvings=4, blocks=1),
    sr_gan_loss=dict(type="HingeGANLoss", weight=0.05),
)
# Several processes: the task averages the gradients of its players itself.
model_wrapper_cfg = dict(type="ManualGradientSync")
