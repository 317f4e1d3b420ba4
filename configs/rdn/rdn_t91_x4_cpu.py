_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="RDN", num_blocks=3, num_convs=3, growth=16, num_features=24)
