backbone = dict(type="CARN", multi_scale=False)
