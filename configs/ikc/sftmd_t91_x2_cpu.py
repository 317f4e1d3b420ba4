# A small SFTMD, minutes on two CPU cores.
_base_ = "../_base_/settings/t91_cpu.py"
scale = 2
backbone = dict(type="SFTMD", num_features=24, num_blocks=4)
degradation = dict(type="BlurDown", kind="IKC")
