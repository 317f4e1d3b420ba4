backbone = dict(type="CARNM", multi_scale=False)
