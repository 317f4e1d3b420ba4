_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
__small = dict(groups=2, blocks=2, width=24, heads=2, window=4, head_features=24)
backbone = dict(type="HAT", **__small, compress=3, squeeze=6)
