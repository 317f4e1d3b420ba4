backbone = dict(type="RNAN")
