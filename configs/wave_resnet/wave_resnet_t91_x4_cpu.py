_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="WaveResNet", num_blocks=2, width=24)
