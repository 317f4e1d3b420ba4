backbone = dict(type="IDN")
