_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SAN", groups=2, blocks=2, num_features=16, reduction=4)
