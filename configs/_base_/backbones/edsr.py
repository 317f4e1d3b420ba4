backbone = dict(type="EDSR")
