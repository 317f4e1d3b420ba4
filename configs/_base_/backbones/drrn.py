backbone = dict(type="DRRN", blocks=1, units=25, width=128)
