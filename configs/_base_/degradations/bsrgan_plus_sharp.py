# BSRGAN+ as in cszn/BSRGAN, which sharpens first.
degradation = dict(type="BSRGANPlus", sharpen=True)
