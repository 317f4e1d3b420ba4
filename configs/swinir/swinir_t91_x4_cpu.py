_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SwinIR", groups=2, blocks=2, width=24, heads=2, window=4, head_features=24)
