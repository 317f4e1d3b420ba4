# Real-ESRGAN (Wang et al., ICCVW 2021), second order; the sharpened image is degraded.
degradation = dict(type="RealESRGAN")
