# SwinIR for real photos, first stage, for two CPU cores: a small network on T91 and the HR side of
# the RealSR V3 crops, degraded as BSRGAN does, and validated on the real pairs.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
__small = dict(groups=2, blocks=2, width=24, heads=2, window=4, head_features=24)
backbone = dict(type="SwinIR", **__small, reconstruction="nearest+conv")
