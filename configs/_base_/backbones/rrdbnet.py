backbone = dict(type="RRDBNet")
