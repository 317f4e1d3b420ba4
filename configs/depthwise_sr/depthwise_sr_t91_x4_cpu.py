_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="DepthwiseSR", features=24, num_blocks=4)
