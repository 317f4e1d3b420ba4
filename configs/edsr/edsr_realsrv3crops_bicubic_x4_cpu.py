# HR of the RealSR V3 crops and of T91, reduced by bicubic interpolation, measured on the real
# pairs: what a network is worth that knows no camera. cincgan_realsrv3crops_x4_cpu begins with it.
_base_ = [
    "../_base_/settings/super_resolution_cpu.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/bicubic.py",
]
scale = 4
backbone = dict(type="EDSR", num_blocks=4, num_features=32)
