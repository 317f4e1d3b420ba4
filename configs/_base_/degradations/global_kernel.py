degradation = dict(type="GlobalKernel", kernel_size=15)
