# ESRGAN: a relativistic discriminator, and the last layer before its ReLU.
_base_ = "gan.py"
model = dict(
    discriminator=dict(type="VGGDiscriminator", size=64, width=16),
    loss=dict(
        terms=[
            dict(type="L1Loss", weight=1e-2),
            dict(
                type="ContentLoss",
                trunk="vgg16_shift_tolerant",
                layers={"conv5_3": 0.05},
                criterion="l1",
            ),
        ]
    ),
    gan_loss=dict(type="RelativisticGANLoss", kind="cross_entropy", weight=5e-3),
)
