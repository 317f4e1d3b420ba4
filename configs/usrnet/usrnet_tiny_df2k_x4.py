# USRNet-tiny: six iterations, and a U-Net of 16, 32, 64 and 64 channels.
_base_ = "usrnet_df2k_x4.py"
backbone = dict(preset="tiny")
