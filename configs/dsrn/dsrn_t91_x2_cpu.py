_base_ = "../_base_/settings/t91_cpu.py"
scale = 2
backbone = dict(type="DSRN", width=16, steps=4)
