# DSGAN's objective, by its command line (the defaults of its class are 0.001 and 0.1): colours
# behind a mean of 5 x 5 pixels, textures by a discriminator behind a high-pass filter, LPIPS.
# Without AlexNet's weights set model.perceptual_loss.weight=0; log and exported file then say so.
model = dict(
    type="UnpairedDegradation",
    discriminator=dict(type="DSGANDiscriminator", width=64, filter="average", filter_size=5),
    loss=dict(type="L1Loss", weight=1.0),
    low_pass_size=5,
    gan_loss=dict(type="CrossEntropyGANLoss", weight=0.005),
    perceptual_loss=dict(type="LPIPSLoss", weight=0.01),
)
# Several processes: the task averages the gradients of its two players itself.
model_wrapper_cfg = dict(type="ManualGradientSync")

# A generated LR image is measured against the real one of its scene, which training never sees.
val_evaluator = dict(
    type="Evaluator",
    metrics=[dict(type="ImageQuality", protocol="lr-fidelity", metrics=["psnr", "ssim"])],
)
test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="ImageQuality", protocol="lr-fidelity", metrics=["psnr", "ssim"]),
        dict(type="ImageQuality", protocol="dml-paper", metrics=["psnr", "ssim"]),
    ],
)
