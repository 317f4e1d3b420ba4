_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="ADRSR", num_features=16, num_blocks=2)
