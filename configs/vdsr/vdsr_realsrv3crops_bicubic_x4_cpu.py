_base_ = [
    "../_base_/settings/super_resolution_cpu.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
]
scale = 4
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
degradation = dict(type="Bicubic")
