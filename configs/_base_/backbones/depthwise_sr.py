backbone = dict(type="DepthwiseSR")
