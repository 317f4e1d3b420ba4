"""Metrics, the protocols that say what they mean, and reports."""

from realdeg.evaluation.degradation import (
    LR_PROTOCOLS,
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    LrProtocol,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
    get_lr_protocol,
)
from realdeg.evaluation.image_quality import METRIC_NAMES, ImageQuality, ImageScores, measure
from realdeg.evaluation.kernel_error import compare_with_truth, kernel_error_map, kernel_errors
from realdeg.evaluation.protocols import PROTOCOLS, Protocol, get_protocol
from realdeg.evaluation.report import MeanSpread, Report, mean_and_spread, over_seeds

__all__ = [
    "LR_PROTOCOLS",
    "METRIC_NAMES",
    "PROTOCOLS",
    "Bandwidth",
    "ColourDrift",
    "EffectiveKernel",
    "ImageQuality",
    "ImageScores",
    "LrProtocol",
    "MeanSpread",
    "NoiseStatistics",
    "PatchDistance",
    "Protocol",
    "Report",
    "SubPixelShift",
    "compare_with_truth",
    "get_lr_protocol",
    "get_protocol",
    "kernel_error_map",
    "kernel_errors",
    "mean_and_spread",
    "measure",
    "over_seeds",
]
