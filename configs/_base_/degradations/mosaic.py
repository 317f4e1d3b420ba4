# One colour per pixel, demosaiced by Malvar, He and Cutler (ICASSP 2004).
degradation = dict(type="Mosaic", method="malvar")
