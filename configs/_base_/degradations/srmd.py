# SRMD (Zhang, Zuo, Zhang, CVPR 2018), the ranges of the paper: isotropic and anisotropic kernels
# that widen with the scale, noise of sigma 0 to 75.
degradation = dict(type="SRMD", settings="paper", sigma=(0, 75))
