# MWCNN at x2.
_base_ = "mwcnn_div2k_x4.py"
scale = 2
