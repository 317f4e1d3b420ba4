# edsr_gan_t91_x4_cpu.py with a gradient penalty.
_base_ = "edsr_gan_t91_x4_cpu.py"
model = dict(
    discriminator=dict(type="PatchGANDiscriminator", norm="none", width=16, halvings=2),
    gan_loss=dict(type="WGANLoss", weight=5e-3),
    penalties=[dict(type="GradientPenalty", weight=10.0)],
)
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(betas=(0.0, 0.9))))
