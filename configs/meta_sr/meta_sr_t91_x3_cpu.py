_base_ = "../_base_/settings/t91_cpu.py"
scale = 3
backbone = dict(type="MetaSR", trunk="edsr", num_features=16, num_blocks=4, hidden=64)
