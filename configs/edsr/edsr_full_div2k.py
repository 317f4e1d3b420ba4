# EDSR: 32 blocks of 256 channels.
_base_ = "edsr_div2k.py"
per_scale = {2: {}, 4: {}}
backbone = dict(preset="full")
