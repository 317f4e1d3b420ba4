# The likelihood of real LR, given LR without noise.
model = dict(type="NoiseLearning")

# Generated LR is measured against the real one: how alike, and the noise of both.
val_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="NoiseStatistics"),
        dict(type="ImageQuality", protocol="lr-fidelity", metrics=["psnr", "ssim"]),
    ],
)
test_evaluator = val_evaluator
