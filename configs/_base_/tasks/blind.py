# Absolute error of the image and of the kernel; measured as benchmarks are.
_base_ = "benchmark.py"
model = dict(
    type="BlindSuperResolution",
    loss=dict(type="L1Loss"),
    kernel_loss=dict(type="L1Loss"),
)
