# ZSSR for photos, tested on the real pairs of RealSR-V3-crops: KernelGAN estimates the kernel of
# each photo, reduced crops get a little noise, and nothing is back-projected. `realdeg infer` takes
# the same recipe for your own photos.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_sr_cpu.py",
    "../_base_/tasks/super_resolution.py",
]
scale = 4
backbone = dict(type="ZSSR", preset="real", kernel="kernelgan", seconds=600)
