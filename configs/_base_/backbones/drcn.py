backbone = dict(type="DRCN", recursions=16, width=256)
