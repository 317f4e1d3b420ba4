# IKC (Gu et al., CVPR 2019): isotropic, 21 x 21, sigma 0.2 to 2, 3, 4 at x2, x3, x4; bicubic.
degradation = dict(type="BlurDown", kind="IKC")
