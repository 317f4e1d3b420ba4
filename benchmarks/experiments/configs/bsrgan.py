# BSRGAN in the paper's form: five layers, least squares of weight 0.1 without a half (0.2 here), a
# PatchGAN.
_base_ = "swinir.py"
model = dict(
    discriminator=dict(type="PatchGANDiscriminator", width=16, norm="spectral", padding=2),
    gan_loss=dict(type="LSGANLoss", weight=0.2),
)
