# Real pairs of NTIRE 2019, in the small patches that T91 allows (its smallest side is 78).
_base_ = "ntire19.py"
patch_size = 72
batch_size = 8
