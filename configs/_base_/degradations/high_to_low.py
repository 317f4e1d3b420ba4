# Bulat, Yang, Tzimiropoulos, ECCV 2018, as in the released code: a weighted Gaussian map at the
# entrance; noise="vector" is the paper's.
degradation = dict(type="HighToLow", width=64, noise="map")
