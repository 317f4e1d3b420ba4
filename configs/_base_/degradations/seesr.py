# SeeSR (Wu et al., CVPR 2024) and PiSA-SR (Sun et al., CVPR 2025): mild, without sharpening.
# dataloaders/params_realesrgan.yml of cswry/SeeSR, commit 8edecc7, and src/datasets/params.yml of
# csslc/PiSA-SR, commit 9c76e12. JPEG is computed on tensors, as in the code.
degradation = dict(
    type="RealESRGAN",
    sharpen=False,
    codec="differentiable",
    first=dict(
        resize_range=(0.3, 1.5),
        noise_sigma=(1, 15),
        poisson_scale=(0.05, 2.0),
        jpeg_quality=(60, 95),
    ),
    second=dict(
        blur_probability=0.5,
        resize_range=(0.6, 1.2),
        noise_sigma=(1, 12),
        poisson_scale=(0.05, 1.0),
        jpeg_quality=(60, 100),
    ),
)
