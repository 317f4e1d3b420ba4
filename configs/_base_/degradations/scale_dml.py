# DML with the scale as a condition: bases of 15 x 15 at x4, which shrink with the scale.
degradation = dict(type="ScaleDML", num_kernels=8, kernel_size=15, width=64, levels=4)
