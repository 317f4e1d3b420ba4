_base_ = "bsds_x4.py"
scale = 2
patch_size = 48
