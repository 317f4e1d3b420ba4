backbone = dict(type="DSRN")
