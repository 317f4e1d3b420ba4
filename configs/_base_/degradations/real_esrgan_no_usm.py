# Real-ESRGAN without the sharpening beforehand.
degradation = dict(type="RealESRGAN", sharpen=False)
