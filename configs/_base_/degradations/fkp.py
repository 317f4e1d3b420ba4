# FKP (Liang et al., CVPR 2021): LR lies at s i - (s - 1) / 2, mirrored against bicubic LR.
degradation = dict(type="BlurDown", kind="FKP")
