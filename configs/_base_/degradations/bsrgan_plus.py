# BSRGAN+ as in cszn/KAIR: all steps shuffled for every tenth image, no sharpening.
degradation = dict(type="BSRGANPlus")
