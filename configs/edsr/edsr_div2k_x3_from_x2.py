# EDSR baseline as in the paper: x3 begins with the weights of x2, the tail apart.
_base_ = "edsr_div2k_x4_from_x2.py"
scale = 3
patch_size = 144
