_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(
    type="DFSA", num_groups=2, num_blocks=2, num_features=16, reduction=4, filter_groups=4
)
