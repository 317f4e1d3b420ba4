# BSRGAN (Zhang et al., ICCV 2021) as its released code draws, which has no camera model.
degradation = dict(type="BSRGAN")
