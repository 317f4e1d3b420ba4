# The camera model that the paper of BSRGAN describes (Zhang et al., ICCV 2021).
degradation = dict(type="CameraISP", recipe="bsrgan")
