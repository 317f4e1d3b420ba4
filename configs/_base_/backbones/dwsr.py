backbone = dict(type="DWSR")
