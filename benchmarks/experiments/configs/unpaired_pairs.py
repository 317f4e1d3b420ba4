# The network of the comparison of methods without pairs, here on real pairs: EDSR of 32 channels
# and 4 blocks, 8 patches of 32 LR pixels, absolute error.
_base_ = "l1.py"
patch_size = 128
backbone = dict(num_blocks=4)
