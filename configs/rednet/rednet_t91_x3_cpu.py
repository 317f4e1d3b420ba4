_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 3
backbone = dict(type="REDNet", depth=10, width=32)
