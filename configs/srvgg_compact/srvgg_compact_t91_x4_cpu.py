_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SRVGGNetCompact", num_features=24, num_convs=8)
