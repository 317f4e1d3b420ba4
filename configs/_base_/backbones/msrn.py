backbone = dict(type="MSRN")
