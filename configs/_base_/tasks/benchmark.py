# Absolute error, measured as benchmarks are: luma, as many pixels shaved as the scale.
model = dict(type="SuperResolution", loss=dict(type="L1Loss"))

val_evaluator = dict(
    type="Evaluator",
    metrics=[dict(type="ImageQuality", protocol="benchmark-y", metrics=["psnr", "ssim"])],
)
# Papers of the MATLAB days rounded the luma as well.
test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="ImageQuality", protocol="benchmark-y", metrics=["psnr", "ssim"]),
        dict(type="ImageQuality", protocol="benchmark-y-uint8", metrics=["psnr", "ssim"]),
    ],
)
