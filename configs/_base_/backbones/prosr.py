backbone = dict(type="ProSR")
