_base_ = [
    "../_base_/settings/super_resolution.py",
    "../_base_/datasets/hr_for_realsr_v2.py",
    "../_base_/learned/dsgan_realsr.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
backbone = dict(type="VDSR", depth=20, width=64, colour="y")
