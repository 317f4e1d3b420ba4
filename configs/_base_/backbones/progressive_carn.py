backbone = dict(type="ProgressiveCARN")
