_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="MDSR", multi_scale=False, num_blocks=3, num_features=24)
