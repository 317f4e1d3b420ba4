# The x3 benchmark "DN": bicubic reduction, then white noise of sigma 30.
degradation = dict(type="AWGN", sigma=30, clip=True)
