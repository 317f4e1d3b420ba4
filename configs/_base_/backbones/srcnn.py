backbone = dict(type="SRCNN", kernels="9-5-5")
