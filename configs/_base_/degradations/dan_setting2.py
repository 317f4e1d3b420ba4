# DAN, setting 2, which is made for DIV2KRK: anisotropic, disturbed by up to a quarter.
degradation = dict(type="BlurDown", kind="DAN-2")
