model = dict(type="SuperResolution", loss=dict(type="MSELoss"))

val_evaluator = dict(
    type="Evaluator",
    metrics=[dict(type="ImageQuality", protocol="realsr-official", metrics=["psnr", "ssim"])],
)
# Table 2 of the DML paper prints LPIPS, PSNR and an SSIM of its own.
test_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="ImageQuality", protocol="realsr-official", metrics=["psnr", "ssim", "lpips"]),
        dict(type="ImageQuality", protocol="dml-paper", metrics=["ssim"]),
    ],
)
