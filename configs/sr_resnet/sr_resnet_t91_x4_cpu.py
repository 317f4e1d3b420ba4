_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SRResNet", num_blocks=4, num_features=24)
