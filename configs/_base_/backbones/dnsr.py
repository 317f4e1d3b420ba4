backbone = dict(type="DNSR")
