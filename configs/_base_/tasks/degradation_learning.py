# Eq. 4 of the DML paper: squared error between generated and real LR.
model = dict(type="DegradationLearning", loss=dict(type="MSELoss"))

# A generated LR image is measured against the real one.
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
