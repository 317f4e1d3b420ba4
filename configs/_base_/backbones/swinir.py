backbone = dict(type="SwinIR")
