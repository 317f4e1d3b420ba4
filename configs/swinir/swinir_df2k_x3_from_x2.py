# SwinIR at x3, begun with x2 like x4.
_base_ = "swinir_df2k_x4_from_x2.py"
scale = 3
patch_size = 192
