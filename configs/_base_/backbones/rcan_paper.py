backbone = dict(type="RCAN")
