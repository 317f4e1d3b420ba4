degradation = dict(type="DirectKPN", kernel_size=15, width=64, levels=4)
