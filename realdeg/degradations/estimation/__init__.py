"""Estimation of kernels and noise from real photos, for pools.

:func:`patch_kernels` estimates kernels from pairs by least squares, :func:`kernelgan` from one
photo. :func:`noise_patches` finds flat regions, :func:`noise_level` the strength of white noise.
What estimates the kernel of one image is registered as a :class:`KernelEstimator`.
"""

from realdeg.degradations.estimation.adaptive_basis import AdaptiveKernelBasis
from realdeg.degradations.estimation.base import (
    EstimatorLike,
    KernelEstimate,
    KernelEstimator,
    KernelField,
    check_estimator,
    estimator_from_config,
)
from realdeg.degradations.estimation.dark_channel_estimator import DarkChannel
from realdeg.degradations.estimation.dip_fkp import (
    DIPFKP,
    DIPFKPFit,
    DIPFKPSettings,
    fit_dip_fkp,
)
from realdeg.degradations.estimation.field_estimator import FieldEstimator
from realdeg.degradations.estimation.field_kernels import (
    Representatives,
    region_kernels,
    representatives,
)
from realdeg.degradations.estimation.gaussian_fit import GaussianFit, fit_gaussian
from realdeg.degradations.estimation.kernelgan import KernelGANResult, kernelgan
from realdeg.degradations.estimation.kernelgan_estimator import KernelGAN
from realdeg.degradations.estimation.kernelgan_fkp import KernelGANFKP
from realdeg.degradations.estimation.network_kernel import NetworkKernel
from realdeg.degradations.estimation.noise_level import noise_level
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
from realdeg.degradations.estimation.pool_kernel import PoolKernel

__all__ = [
    "CRITERIA",
    "AdaptiveKernelBasis",
    "DIPFKP",
    "DIPFKPFit",
    "DIPFKPSettings",
    "DarkChannel",
    "EstimatorLike",
    "FieldEstimator",
    "GaussianFit",
    "KernelEstimate",
    "KernelEstimator",
    "KernelField",
    "KernelGAN",
    "KernelGANFKP",
    "KernelGANResult",
    "NetworkKernel",
    "NoisePatch",
    "PairCriteria",
    "PatchKernel",
    "PoolKernel",
    "QuietPatches",
    "Representatives",
    "SmoothPatches",
    "check_estimator",
    "common_kernel",
    "estimator_from_config",
    "fit_gaussian",
    "fit_dip_fkp",
    "kernelgan",
    "noise_level",
    "noise_patches",
    "patch_kernels",
    "region_kernels",
    "representatives",
]
