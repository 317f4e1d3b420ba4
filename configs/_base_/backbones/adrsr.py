backbone = dict(type="ADRSR")
