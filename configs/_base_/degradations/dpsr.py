# DPSR (Zhang, Zuo, Zhang, CVPR 2019): bicubic reduction first, blur of the small image after it.
degradation = dict(type="BlurDown", kind="DPSR")
