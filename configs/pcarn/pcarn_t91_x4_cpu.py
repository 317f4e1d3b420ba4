_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="PCARN", multi_scale=False, features=24)
