backbone = dict(type="IPT")
