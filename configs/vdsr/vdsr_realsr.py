_base_ = ["../_base_/settings/super_resolution.py", "../_base_/datasets/realsr_v2.py"]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
backbone = dict(type="VDSR", depth=20, width=64, colour="y")
