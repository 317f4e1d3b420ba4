# Kernels of every pixel against those of a camera that knows them, and HR degraded by the estimate
# against LR. SampleCamera blurs stored values, so the network sees them without the power of 2.2.
model = dict(
    type="KernelFieldLearning",
    estimator=dict(type="AdaptiveKernelBasis", gamma=1.0),
    norm="l1",
)
val_evaluator = dict(
    type="Evaluator",
    metrics=[
        dict(type="KernelFieldError"),
        dict(type="ImageQuality", protocol="lr-fidelity", metrics=["psnr"]),
    ],
)
test_evaluator = val_evaluator
