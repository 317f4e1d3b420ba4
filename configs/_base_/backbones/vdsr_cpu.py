# VDSR made small enough for two CPU cores: 12 layers of 32 channels instead of 20 of 64.
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
