# SRGAN: squared error of the last layer after its ReLU, features divided by 12.75.
_base_ = "gan.py"
model = dict(
    discriminator=dict(type="SRGANDiscriminator", size=64, width=16),
    loss=dict(
        terms=[
            dict(
                type="ContentLoss",
                trunk="vgg16_shift_tolerant",
                layers={"conv5_3": 1.0},
                before_relu=False,
                criterion="mse",
                divisor=20 * 12.75,
            )
        ]
    ),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=1e-3),
)
