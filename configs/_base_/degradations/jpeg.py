# Bicubic reduction and JPEG of quality 30 to 95.
degradation = dict(type="JPEG", quality=(30, 95))
