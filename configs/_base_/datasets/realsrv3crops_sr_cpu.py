# Real pairs of the RealSR V3 crops, in the small patches that T91 allows (its smallest side is 78).
_base_ = "realsr_v3_crops.py"
patch_size = 72
