# The eight test kernels of IKC (Gu et al., CVPR 2019), one for each image; bicubic.
degradation = dict(type="BlurDown", kind="Gaussian8")
