backbone = dict(type="MDSR", multi_scale=False)
