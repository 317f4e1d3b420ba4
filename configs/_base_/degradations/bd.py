# The x3 benchmark "BD": 7 x 7 Gaussian of sigma 1.6, rounded, MATLAB's nearest reduction (script of
# RDN, Zhang et al., CVPR 2018). At x2 and x4 its LR lies half a pixel beside bicubic LR.
degradation = dict(type="BlurDown", kind="BD")
