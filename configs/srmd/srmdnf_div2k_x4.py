# SRMDNF: SRMD without noise and its map. The paper starts from SRMD; this recipe does not.
_base_ = "srmd_div2k_x4.py"
degradation = dict(sigma=0)
backbone = dict(noise=False)
