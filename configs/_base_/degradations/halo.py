# Rims of sharpening, stronger than the default so that they are seen at x4.
degradation = dict(type="Halo", amount=(0.5, 2.0))
