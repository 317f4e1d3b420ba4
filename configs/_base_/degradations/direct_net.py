degradation = dict(type="DirectNet", width=64, levels=4)
