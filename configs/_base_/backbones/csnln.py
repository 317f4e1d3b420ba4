backbone = dict(type="CSNLN")
