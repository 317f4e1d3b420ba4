_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SPAN", num_features=24)
