# ESRGAN: absolute error of weight 0.01, VGG19's conv5_4 before its ReLU of weight 1, and a
# relativistic discriminator of weight 0.005. The weights of VGG19 are read where
# model.loss.terms.1.weights says.
_base_ = "adversarial_benchmark.py"
model = dict(
    discriminator=dict(type="VGGDiscriminator", size=128),
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="L1Loss", weight=1e-2),
            dict(type="ContentLoss", layers={"conv5_4": 1.0}, before_relu=True, criterion="l1"),
        ],
    ),
    gan_loss=dict(type="RelativisticGANLoss", kind="cross_entropy", weight=5e-3),
)
