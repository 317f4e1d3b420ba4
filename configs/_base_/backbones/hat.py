backbone = dict(type="HAT")
