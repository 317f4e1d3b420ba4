# Real-ESRGAN with JPEG computed on tensors, as its training code does.
degradation = dict(type="RealESRGAN", codec="differentiable")
