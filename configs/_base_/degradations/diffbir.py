# DiffBIR v2.1 (Lin et al., ECCV 2024): all settings of Real-ESRGAN, which sharpens beforehand.
# configs/train/train_stage2_v2.1.yaml of XPixelGroup/DiffBIR, commit 3f8b530.
degradation = dict(type="RealESRGAN", codec="differentiable")
