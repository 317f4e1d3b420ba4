"""Every number that says how well a degradation imitates a camera: unit, ideal, meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ideal = Literal["most", "least", "zero", "one", "camera", "none"]


@dataclass(frozen=True)
class Number:
    """What one number is.

    Args:
        unit: Its unit, empty for a ratio.
        ideal: What is best: the most, the least, nearest to zero or one, nearest to the camera's
            own value; ``"none"`` for what is only told.
        meaning: One phrase.
        decimals: How it is printed.
    """

    unit: str
    ideal: Ideal
    meaning: str
    decimals: int = 3

    def distance(self, value: float, camera: float | None) -> float | None:
        """Return how far a value is from the ideal; None where that cannot be said."""
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
    "kernel_error": Number(
        "", "least", "relative error of the effective kernel, centres brought together"
    ),
    "kernel_centroid": Number("HR px", "least", "distance of the effective kernels' centres"),
    "kernel_second_moment": Number(
        "HR px^2", "least", "distance of the effective kernels' second moments"
    ),
    "kernel_width": Number("HR px", "camera", "how far the effective kernel spreads"),
    "kernel_gain": Number("", "camera", "sum of the effective kernel"),
    "shift": Number("LR px", "least", "distance by which the images are displaced"),
    "shift_rows": Number("LR px", "zero", "mean displacement downwards"),
    "shift_columns": Number("LR px", "zero", "mean displacement to the right"),
    "brightness": Number("levels", "zero", "mean difference of Y", 2),
    "gain": Number("", "one", "contrast of block means over the camera's", 4),
    "colour": Number("levels", "least", "drift of Cb and Cr", 2),
    "noise": Number("levels", "camera", "standard deviation of noise in flat places", 2),
    "noise_spectrum": Number("dB", "least", "distance of the noise power spectra", 2),
    "noise_texture": Number("levels", "none", "what HR itself varies in these places", 2),
    "bandwidth": Number("cycles/px", "camera", "where half of the contrast is left (MTF50)"),
    "transfer": Number("", "least", "distance of the transfer functions"),
    "spectrum": Number("dB", "least", "distance of the power spectra", 2),
    "frechet": Number("", "least", "distance of the sets by statistics of patches"),
}


def number_of(label: str) -> Number | None:
    """Return what is known of a number by its label, ``"noise[lr-statistics]"``.

    Args:
        label: The number's name, with or without prefix and protocol.
    """
    return NUMBERS.get(label.split("[")[0].rsplit("/", maxsplit=1)[-1])
