"""Kernels and noise of real photos: what pools are made of.

With pairs, :func:`patch_kernels` finds kernels by least squares; without, :func:`kernelgan` does
from one photo. :func:`noise_patches` finds flat places.
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
