# OSEDiff (Wu et al., NeurIPS 2024): all settings of Real-ESRGAN, without sharpening.
# dataloaders/params_realesrgan.yml and realesrgan.py of cswry/OSEDiff, commit fcc4f09.
degradation = dict(type="RealESRGAN", sharpen=False, codec="differentiable")
