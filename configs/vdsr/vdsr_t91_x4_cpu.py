_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
