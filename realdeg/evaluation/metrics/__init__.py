"""Full-reference image metrics as plain functions of two tensors."""

from realdeg.evaluation.metrics.gmsd import gmsd
from realdeg.evaluation.metrics.perceptual import (
    LPIPS_LABEL,
    PerceptualUnavailableError,
    load_lpips,
    load_st_lpips,
    lpips_distance,
)
from realdeg.evaluation.metrics.psnr import psnr
from realdeg.evaluation.metrics.ssim import ms_ssim, ssim

__all__ = [
    "LPIPS_LABEL",
    "PerceptualUnavailableError",
    "gmsd",
    "load_lpips",
    "load_st_lpips",
    "lpips_distance",
    "ms_ssim",
    "psnr",
    "ssim",
]
