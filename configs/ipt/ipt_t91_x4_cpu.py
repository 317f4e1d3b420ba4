_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="IPT", tile=12, num_features=16, heads=4, layers=2)
