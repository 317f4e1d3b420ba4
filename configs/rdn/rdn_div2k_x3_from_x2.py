# RDN as in the paper: x3 begins with the weights of x2, the upsampler apart.
_base_ = "rdn_div2k_x4_from_x2.py"
scale = 3
patch_size = 96
