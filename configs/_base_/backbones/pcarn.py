backbone = dict(type="PCARN", multi_scale=False)
