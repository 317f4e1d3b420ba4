# x4 from scratch, to compare with.
_base_ = "rcan_x2.py"
scale = 4
patch_size = 96
