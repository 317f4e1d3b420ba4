"""Noise in flat regions of photos: criteria for flat patches, and the noise in them.

Grey levels are from 0 to 255. Means and variances are those of full-range Y, as all published
criteria use grey images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import ConfigError, DataError

_GREY = (0.299, 0.587, 0.114)
# Of 12288 values of Gaussian noise none is likely to be 5 deviations off; real camera noise has
# longer tails.
_FARTHEST = 8.0


@dataclass(frozen=True)
class SmoothPatches:
    """GCBD's criterion: every part of a patch looks like the whole (Chen et al., CVPR 2018).

    With d = 64, h = 16, a patch every 32 pixels, mu = 0.1 and gamma = 0.25 a patch is flat if each
    of its 16 x 16 parts has a mean within 10 % and a variance within 25 % of the patch's.

    Args:
        patch: Side d of a patch, a multiple of ``part``.
        stride: Pixels from one patch to the next.
        part: Side h of the parts, which do not overlap.
        mean_tolerance: mu, relative to the patch's mean.
        variance_tolerance: gamma, relative to the patch's variance.
    """

    name: ClassVar[str] = "gcbd"

    patch: int = 64
    stride: int = 32
    part: int = 16
    mean_tolerance: float = 0.1
    variance_tolerance: float = 0.25

    def rejection(self, grey: np.ndarray) -> str | None:
        """Return why a patch in grey levels is rejected, ``"mean"`` or ``"variance"``, or None."""
        count = self.patch // self.part
        split = grey.reshape(count, self.part, count, self.part).transpose(0, 2, 1, 3)
        parts = split.reshape(count * count, -1)
        mean, variance = grey.mean(), grey.var()
        if np.abs(parts.mean(1) - mean).max() > self.mean_tolerance * mean:
            return "mean"
        if np.abs(parts.var(1) - variance).max() > self.variance_tolerance * variance:
            return "variance"
        return None


@dataclass(frozen=True)
class QuietPatches:
    """RealSR's criterion: the variance of a patch is small (Ji et al., CVPRW 2020).

    The paper leaves the threshold open ("sigma(n) < v"). The criterion does not test where the
    variance comes from, so faint texture passes as noise.

    Args:
        patch: Side of a patch.
        stride: Pixels from one patch to the next.
        largest_variance: Grey levels squared.
        least_mean: Grey levels; darker patches are rejected.
    """

    name: ClassVar[str] = "realsr"

    patch: int = 64
    stride: int = 32
    largest_variance: float = 20.0
    least_mean: float = 0.0

    def rejection(self, grey: np.ndarray) -> str | None:
        """Return why a patch in grey levels is rejected, ``"variance"`` or ``"mean"``, or None."""
        if grey.var() >= self.largest_variance:
            return "variance"
        return "mean" if grey.mean() < self.least_mean else None


Criteria = SmoothPatches | QuietPatches
CRITERIA: dict[str, type[SmoothPatches] | type[QuietPatches]] = {
    kind.name: kind for kind in (SmoothPatches, QuietPatches)
}


@dataclass(frozen=True)
class NoisePatch:
    """Noise of one patch.

    Args:
        patch: Zero mean in each channel, units of [0, 1], float32, shape (C, p, p).
        record: ``row`` and ``column`` (pixels), ``mean`` and ``sigma`` (grey levels).
    """

    patch: Tensor
    record: dict[str, Any]


def noise_patches(
    image: np.ndarray,
    criteria: Criteria | None = None,
    detrend: str = "plane",
    least_sigma: float = 0.25,
    clipped_share: float = 0.01,
    concentration: float = 0.3,
) -> tuple[list[NoisePatch], dict[str, int]]:
    """Find the flat patches of a photo and extract their noise.

    Besides the criterion, further tests reject patches: where the sensor saturates (noise is
    clipped there), where nothing varies (black bars, drawings), where a value lies far from all
    others (the corner of an object), and where a few frequencies hold most of the energy. The last
    are stripes and other regular texture, which pass GCBD's criterion because all their parts look
    alike.

    Args:
        image: uint8 or uint16, shape (H, W, C), C = 1 or 3.
        criteria: The criterion for flat patches; None takes GCBD's.
        detrend: What is subtracted from each channel: its ``"mean"``, as in the papers, or the best
            ``"plane"``, which also removes shading.
        least_sigma: Minimum standard deviation of the noise, grey levels.
        clipped_share: Maximum share of values at 0 or the maximum level.
        concentration: Maximum share of the energy in the strongest hundredth of the frequencies;
            white noise has 0.06, smoothed noise up to 0.2. 1 disables the test.

    Returns:
        The patches, row by row, and the number of rejected ones by reason.

    Raises:
        ConfigError: If an argument is out of range.
        DataError: If the image is smaller than a patch or of another dtype.
    """
    criteria = criteria or SmoothPatches()
    _check(image, criteria, detrend)
    greatest = int(np.iinfo(image.dtype).max)
    levels = image.astype(np.float32) * (255 / greatest)
    grey = levels @ np.array(_GREY, np.float32) if image.shape[2] == 3 else levels[..., 0]
    at_end = ((image == 0) | (image == greatest)).mean(2)
    side, stride = criteria.patch, criteria.stride
    found: list[NoisePatch] = []
    refused: dict[str, int] = {}
    for row in range(0, image.shape[0] - side + 1, stride):
        for column in range(0, image.shape[1] - side + 1, stride):
            place = slice(row, row + side), slice(column, column + side)
            reason = "clipped" if at_end[place].mean() > clipped_share else None
            reason = reason or criteria.rejection(grey[place])
            if reason is None:
                patch = _without_trend(levels[place].transpose(2, 0, 1), detrend)
                sigma = float(patch.std())
                if sigma < least_sigma:
                    reason = "silent"
                elif float(np.abs(patch).max()) > _FARTHEST * max(_robust_sigma(patch), 0.3):
                    reason = "object"
                elif _concentration(patch) > concentration:
                    reason = "regular"
            if reason is not None:
                refused[reason] = refused.get(reason, 0) + 1
                continue
            record = {
                "row": row,
                "column": column,
                "mean": round(float(grey[place].mean()), 2),
                "sigma": round(sigma, 3),
            }
            found.append(NoisePatch(torch.from_numpy((patch / 255).astype(np.float32)), record))
    return found, refused


def _without_trend(patch: np.ndarray, detrend: str) -> np.ndarray:
    rest: np.ndarray = patch.astype(np.float64) - patch.mean((1, 2), keepdims=True)
    if detrend == "plane":
        axis = np.arange(patch.shape[1]) - (patch.shape[1] - 1) / 2
        # Rows, columns and the constant are orthogonal on a square grid.
        scale = patch.shape[1] * (axis @ axis)
        down, right = (rest.sum(2) @ axis) / scale, (rest.sum(1) @ axis) / scale
        rest -= down[:, None, None] * axis[:, None] + right[:, None, None] * axis
    return rest


def _robust_sigma(patch: np.ndarray) -> float:
    """Return the standard deviation of the Gaussian with the same median distance from 0."""
    return 1.4826 * float(np.median(np.abs(patch)))


def _concentration(patch: np.ndarray) -> float:
    energy = np.square(np.abs(np.fft.rfft2(patch))).sum(0).ravel()
    strongest = np.partition(energy, -max(1, energy.size // 100))[-max(1, energy.size // 100) :]
    return float(strongest.sum() / energy.sum())


def _check(image: np.ndarray, criteria: Criteria, detrend: str) -> None:
    if detrend not in ("mean", "plane"):
        raise ConfigError(f"noise patches: detrend is 'mean' or 'plane', got {detrend!r}.")
    part = getattr(criteria, "part", 1)
    if criteria.patch < 8 or criteria.stride < 1 or part < 1 or criteria.patch % part:
        raise ConfigError(
            f"noise patches: a patch has at least 8 pixels and whole parts, got {criteria}."
        )
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"noise patches are cut from 8 or 16 bit images with 1 or 3 channels, got"
            f" {image.dtype} of shape {image.shape}."
        )
    if min(image.shape[:2]) < criteria.patch:
        raise DataError(
            f"an image of {image.shape[0]} x {image.shape[1]} is smaller than a noise patch of"
            f" {criteria.patch} x {criteria.patch}: use smaller patches."
        )
