backbone = dict(type="VDSR", depth=20, width=64, colour="y")
