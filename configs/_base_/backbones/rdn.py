backbone = dict(type="RDN")
