backbone = dict(type="DFSA")
