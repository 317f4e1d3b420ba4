"""How far estimated kernels lie from the true ones, pixel by pixel."""

from __future__ import annotations

from torch import Tensor

from realdeg.evaluation.base import ImageScores
from realdeg.evaluation.degradation.metrics import LrMetric
from realdeg.evaluation.kernel_error import match_support
from realdeg.registry import METRICS
from realdeg.utils.samples import Prediction


@METRICS.register_module()
class KernelFieldError(LrMetric):
    """Errors of a kernel for each pixel, beside those of one kernel for the image.

    An error is the sum of the absolute differences of the taps, 0 to 2 for kernels with sum 1, and
    the mean over pixels is reported. ``field_error`` is that of the estimated field,
    ``mean_kernel_error`` that of its mean kernel, and ``true_mean_error`` that of the mean of the
    true kernels, which no estimate of one kernel for the image can be expected to beat.
    """

    numbers = ("field_error", "mean_kernel_error", "true_mean_error")
    nothing_found = "the task estimates no field of kernels."

    def measure_image(self, sample: Prediction) -> ImageScores:
        """Compare ``kernels`` of a prediction with ``true_kernels``."""
        key = str(sample.get("key", "?"))
        found, truth = sample.get("kernels"), sample.get("true_kernels")
        if found is None or truth is None:
            reason = f"image '{key}' comes without estimated and true kernels"
            return ImageScores(key, missing=dict.fromkeys(self.labels, reason))
        found, truth = match_support(found, truth, max(1, round(_stride(sample))))
        values = [
            tap_error(one, truth)
            for one in (found, found.mean(0, keepdim=True), truth.mean(0, keepdim=True))
        ]
        return ImageScores(key, {n: [v] for n, v in zip(self.labels, values, strict=True)})


def tap_error(kernels: Tensor, truth: Tensor) -> float:
    """Return the mean over pixels of the summed absolute difference of the taps.

    Args:
        kernels: (P, k, k), or (1, k, k) for one kernel.
        truth: (P, k, k).
    """
    return float((kernels - truth).abs().sum((1, 2)).mean())


def _stride(sample: Prediction) -> float:
    return sample["input"].shape[-1] / sample["target"].shape[-1]
