backbone = dict(type="CNF", depths="7-9-11")
