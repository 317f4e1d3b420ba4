_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="SRDenseNet", num_blocks=3, num_layers=4, bottleneck=32)
