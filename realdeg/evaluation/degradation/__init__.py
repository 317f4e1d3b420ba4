"""Metrics of how well a degradation imitates a camera, beyond pixel differences."""

from realdeg.evaluation.degradation.kernel_fields import KernelFieldError
from realdeg.evaluation.degradation.metrics import (
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
)
from realdeg.evaluation.degradation.patches import frechet_distance, patch_features
from realdeg.evaluation.degradation.protocol import (
    LR_PROTOCOLS,
    LrPair,
    LrProtocol,
    get_lr_protocol,
    prepare_lr,
)

__all__ = [
    "LR_PROTOCOLS",
    "Bandwidth",
    "ColourDrift",
    "EffectiveKernel",
    "KernelFieldError",
    "LrPair",
    "LrProtocol",
    "NoiseStatistics",
    "PatchDistance",
    "SubPixelShift",
    "frechet_distance",
    "get_lr_protocol",
    "patch_features",
    "prepare_lr",
]
