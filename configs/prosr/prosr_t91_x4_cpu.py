_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="ProSR", preset="prosrs", blocks=[[3, 3], [3], [3]])
