# Real-ESRGAN: as bsrgan.py, but absolute error and VGG19 compare with the sharpened HR image, the
# discriminator with HR itself.
_base_ = "adversarial_benchmark.py"
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
model = dict(
    discriminator=dict(type="UNetDiscriminator"),
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="L1Loss", target="sharpened"),
            dict(
                type="ContentLoss",
                layers=__layers,
                before_relu=True,
                criterion="l1",
                target="sharpened",
            ),
        ],
    ),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=0.1),
)
