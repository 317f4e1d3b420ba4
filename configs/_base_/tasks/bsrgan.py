# The last stage of BSRGAN and of SwinIR for real photos: absolute error and five layers of VGG19,
# each of weight 1, and a U-Net that judges every pixel.
_base_ = "adversarial_benchmark.py"
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
model = dict(
    discriminator=dict(type="UNetDiscriminator"),
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="L1Loss"),
            dict(type="ContentLoss", layers=__layers, before_relu=True, criterion="l1"),
        ],
    ),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=0.1),
)
