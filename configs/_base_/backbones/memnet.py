backbone = dict(type="MemNet", blocks=6, units=6, width=64)
