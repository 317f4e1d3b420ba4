"""Unit, ideal and meaning of every score of a degradation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ideal = Literal["most", "least", "zero", "one", "camera", "none"]


@dataclass(frozen=True)
class Number:
    """The description of one score.

    Args:
        unit: Its unit, empty for a ratio.
        ideal: What is best: the largest, the smallest, closest to zero or one, or closest to the
            camera's own value; ``"none"`` for information only.
        meaning: One phrase.
        decimals: Decimals in print.
    """

    unit: str
    ideal: Ideal
    meaning: str
    decimals: int = 3

    def distance(self, value: float, camera: float | None) -> float | None:
        """Return the distance of a value from the ideal, if there is one."""
        if self.ideal == "none" or (self.ideal == "camera" and camera is None):
            return None
        if self.ideal in ("most", "least"):
            return -value if self.ideal == "most" else value
        goal = {"zero": 0.0, "one": 1.0}.get(self.ideal, camera or 0.0)
        return abs(value - goal)


NUMBERS: dict[str, Number] = {
    "psnr": Number("dB", "most", "difference of pixels from the camera's LR", 2),
    "ssim": Number("", "most", "structural similarity to the camera's LR", 4),
    "ms_ssim": Number("", "most", "the same over five scales", 4),
    "gmsd": Number("", "least", "deviation of the gradients' similarity", 4),
    "kernel_error": Number("", "least", "relative error of the effective kernel, centres aligned"),
    "kernel_centroid": Number("HR px", "least", "distance of the effective kernels' centres"),
    "kernel_second_moment": Number(
        "HR px^2", "least", "distance of the effective kernels' second moments"
    ),
    "kernel_width": Number("HR px", "camera", "width of the effective kernel"),
    "kernel_gain": Number("", "camera", "sum of the effective kernel"),
    "field_error": Number("", "least", "summed error of the taps, a kernel for each pixel"),
    "mean_kernel_error": Number("", "least", "the same of the mean of the estimated kernels"),
    "true_mean_error": Number("", "none", "the same of the mean of the true kernels"),
    "shift": Number("LR px", "least", "distance by which the images are displaced"),
    "shift_rows": Number("LR px", "zero", "mean displacement downwards"),
    "shift_columns": Number("LR px", "zero", "mean displacement to the right"),
    "brightness": Number("levels", "zero", "mean difference of Y", 2),
    "gain": Number("", "one", "contrast of block means over the camera's", 4),
    "colour": Number("levels", "least", "drift of Cb and Cr", 2),
    "noise": Number("levels", "camera", "standard deviation of noise in flat areas", 2),
    "noise_spectrum": Number("dB", "least", "distance of the noise power spectra", 2),
    "noise_texture": Number("levels", "none", "variation of HR itself in these areas", 2),
    "bandwidth": Number("cycles/px", "camera", "where half of the contrast is left (MTF50)"),
    "transfer": Number("", "least", "distance of the transfer functions"),
    "spectrum": Number("dB", "least", "distance of the power spectra", 2),
    "frechet": Number("", "least", "distance of the sets by statistics of patches"),
}


def number_of(label: str) -> Number | None:
    """Return the description of a label, with or without prefix and protocol, if known."""
    return NUMBERS.get(label.split("[")[0].rsplit("/", maxsplit=1)[-1])
