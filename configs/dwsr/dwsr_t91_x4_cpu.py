_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="DWSR", depth=4, width=24)
