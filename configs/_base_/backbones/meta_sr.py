backbone = dict(type="MetaSR", trunk="rdn")
