# SRMDNF: SRMD without noise.
degradation = dict(type="SRMD", settings="paper", sigma=0)
