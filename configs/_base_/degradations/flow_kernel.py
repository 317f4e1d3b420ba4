# FKP (Liang et al., CVPR 2021): a flow of kernels, of the size and width of each scale.
degradation = dict(type="FlowKernel")
