_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="RNAN", groups=4, num_features=16)
