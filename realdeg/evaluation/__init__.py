"""Metrics, the protocols that say what they mean, and reports."""

from realdeg.evaluation.alignment import PairAlignment, RegionShift, measure_alignment
from realdeg.evaluation.alignment_limits import (
    AlignmentLimits,
    AlignmentVerdict,
    judge_alignment,
    measure_pairs,
)
from realdeg.evaluation.base import ImageMetric, ImageScores
from realdeg.evaluation.degradation import (
    LR_PROTOCOLS,
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    KernelFieldError,
    LrProtocol,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
    get_lr_protocol,
)
from realdeg.evaluation.image_quality import METRIC_NAMES, ImageQuality, measure
from realdeg.evaluation.iqa import IQA_METRICS, PyIQA
from realdeg.evaluation.iqa_protocol import IqaProtocol
from realdeg.evaluation.kernel_error import compare_with_truth, kernel_error_map, kernel_errors
from realdeg.evaluation.protocols import PROTOCOLS, Protocol, get_protocol
from realdeg.evaluation.report import MeanSpread, Report, mean_and_spread, over_seeds

__all__ = [
    "IQA_METRICS",
    "LR_PROTOCOLS",
    "METRIC_NAMES",
    "PROTOCOLS",
    "AlignmentLimits",
    "AlignmentVerdict",
    "Bandwidth",
    "ColourDrift",
    "EffectiveKernel",
    "ImageMetric",
    "ImageQuality",
    "ImageScores",
    "IqaProtocol",
    "KernelFieldError",
    "LrProtocol",
    "MeanSpread",
    "NoiseStatistics",
    "PairAlignment",
    "PatchDistance",
    "Protocol",
    "PyIQA",
    "RegionShift",
    "Report",
    "SubPixelShift",
    "compare_with_truth",
    "get_lr_protocol",
    "get_protocol",
    "judge_alignment",
    "kernel_error_map",
    "kernel_errors",
    "mean_and_spread",
    "measure",
    "measure_alignment",
    "measure_pairs",
    "over_seeds",
]
