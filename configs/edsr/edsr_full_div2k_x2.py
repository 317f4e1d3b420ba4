# EDSR: 32 blocks of 256 channels.
_base_ = "edsr_div2k_x2.py"
backbone = dict(preset="full")
