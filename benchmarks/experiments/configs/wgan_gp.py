# WGAN-GP: a critic without normalisation, five steps of it for each of the network; EDSR-PyTorch's
# weights (5 x VGG54 + 0.15 x GAN) and betas.
_base_ = "gan.py"
model = dict(
    discriminator=dict(type="PatchGANDiscriminator", width=16, norm="none"),
    discriminator_steps=5,
    loss=dict(
        terms=[
            dict(
                type="ContentLoss",
                trunk="vgg16_shift_tolerant",
                layers={"conv5_3": 1.0},
                criterion="mse",
                weight=5.0,
                divisor=20.0,
            )
        ]
    ),
    gan_loss=dict(type="WGANLoss", weight=0.15),
    penalties=[dict(type="GradientPenalty", weight=10.0)],
)
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(betas=(0.0, 0.9))))
