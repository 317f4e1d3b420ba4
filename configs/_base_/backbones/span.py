backbone = dict(type="SPAN")
