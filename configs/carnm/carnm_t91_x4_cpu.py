_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="CARNM", multi_scale=False, features=32)
