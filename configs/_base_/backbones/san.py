backbone = dict(type="SAN")
