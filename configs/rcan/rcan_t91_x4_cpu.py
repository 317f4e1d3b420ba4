_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="RCAN", num_groups=2, num_blocks=2, num_features=24)
