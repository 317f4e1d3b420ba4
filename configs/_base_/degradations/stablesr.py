# StableSR (Wang et al., IJCV 2024): mild, with narrower kernels than SeeSR; the sharpened image is
# degraded, and one image in a hundred is left as it is: configs/stableSRNew/
# v2-finetune_text_T_512.yaml and ldm/models/diffusion/ddpm.py of IceClear/StableSR, commit 398ee93.
# Here the hundredth image is reduced by bicubic interpolation, since the code has HR in its place.
__kernels = dict(generalised_beta=(0.5, 2.0), plateau_beta=(1.0, 1.5))
degradation = dict(
    type="Maybe",
    probability=0.99,
    part=dict(
        type="RealESRGAN",
        codec="differentiable",
        first=dict(
            **__kernels,
            blur_sigma=(0.2, 1.5),
            resize_range=(0.3, 1.5),
            noise_sigma=(1, 15),
            poisson_scale=(0.05, 2.0),
            jpeg_quality=(60, 95),
        ),
        second=dict(
            **__kernels,
            blur_probability=0.5,
            blur_sigma=(0.2, 1.0),
            resize_range=(0.6, 1.2),
            noise_sigma=(1, 12),
            poisson_scale=(0.05, 1.0),
            jpeg_quality=(60, 100),
        ),
    ),
)
