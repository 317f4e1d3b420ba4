"""Estimation of kernels and noise from real photos, for pools.

:func:`patch_kernels` estimates kernels from pairs by least squares, :func:`kernelgan` from one
photo. :func:`noise_patches` finds flat regions.
"""

from realdeg.degradations.estimation.kernelgan import KernelGANResult, kernelgan
from realdeg.degradations.estimation.noise_patches import (
    CRITERIA,
    NoisePatch,
    QuietPatches,
    SmoothPatches,
    noise_patches,
)
from realdeg.degradations.estimation.pairs import (
    PairCriteria,
    PatchKernel,
    common_kernel,
    patch_kernels,
)

__all__ = [
    "CRITERIA",
    "KernelGANResult",
    "NoisePatch",
    "PairCriteria",
    "PatchKernel",
    "QuietPatches",
    "SmoothPatches",
    "common_kernel",
    "kernelgan",
    "noise_patches",
    "patch_kernels",
]
