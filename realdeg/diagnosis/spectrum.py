"""The spectrum of one image: how far its detail reaches, and traces of an enlargement."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from realdeg.diagnosis.limits import (
    EMPTY_FALL,
    EMPTY_LEVEL,
    EMPTY_RISE,
    LEAST_FACTOR,
    PERIOD_PEAK,
    PERIOD_PEAK_SAFE,
    ZERO_LEVEL,
)

Pixel = TypeVar("Pixel", bound=np.generic)

# Side of a block, and the side of the examined centre; an image needs room for a few blocks.
BLOCK, CENTRE = 64, 1032
# Blocks with less contrast than this quantile of all tell nothing about detail.
_TEXTURED = 0.5
# Frequencies (of 64) between which the profile is examined.
_FIRST = 6
# A fall is measured over this ratio of frequencies.
_OVER = 1.25
# The window that removes the image itself from the trace of derivatives.
_SMOOTH = 25


@dataclass(frozen=True)
class Detail:
    """How far the detail of an image reaches.

    Args:
        cutoff: The fraction of the Nyquist frequency above which there is nothing; 1 if detail
            reaches to the end.
        factor: The factor by which the image seems to have been enlarged; None if it does not.
        periodic: Whether interpolation left its period, which makes the factor certain.
        sharpness: Power above 1/8 cycles per pixel over that below, in dB, of the blurrier axis.
        levels: Power at k / 64 cycles per pixel for k from 0 to 32, in squared 8-bit levels, as dB.
    """

    cutoff: float
    factor: float | None
    periodic: bool
    sharpness: float
    levels: tuple[float, ...] = field(repr=False)

    def power(self, low: float, high: float) -> float:
        """Return the mean power between two frequencies in cycles per pixel, as dB."""
        band = self.levels[round(low * BLOCK) : round(high * BLOCK) + 1]
        return 10 * math.log10(float(np.mean(10 ** (np.array(band) / 10))))


def measure_detail(luma: NDArray[np.float32]) -> Detail | None:
    """Measure the spectrum of the centre of an image.

    A digital enlargement by interpolation leaves nothing above ``1 / factor`` of the Nyquist
    frequency: the power falls to that of rounding within a few bins, or vanishes at the zeros of
    the interpolation and rises behind them with its images. The derivatives of an interpolated
    image also have a variance of the period of the factor.

    Args:
        luma: The image's luma in 8-bit levels, shape (H, W).

    Returns:
        The measurements; None for an image with less than four blocks of 64 px.

    Source:
        Gallagher, "Detection of Linear and Cubic Interpolation in JPEG Compressed Images",
        CRV 2005, for the period.
    """
    centre = middle_of(luma, CENTRE)
    if min(centre.shape) < 2 * BLOCK:
        return None
    profiles = _profiles(centre)
    if profiles is None:
        return None
    sharpness, levels = _octaves(profiles)
    repeated = _repeated(centre)
    if repeated is not None:
        return Detail(1 / repeated, repeated, True, sharpness, levels)
    cutoff, certain = _cutoff(profiles)
    period = _period(centre, profiles, certain)
    if period is not None and period >= LEAST_FACTOR:
        return Detail(min(cutoff, 1 / period), period, True, sharpness, levels)
    if certain and cutoff <= 1 / LEAST_FACTOR:
        return Detail(cutoff, 1 / cutoff, False, sharpness, levels)
    return Detail(1.0, None, False, sharpness, levels)


def middle_of(image: NDArray[Pixel], side: int) -> NDArray[Pixel]:
    """Return the central part of an image, ``side`` pixels high and wide or less.

    It starts at multiples of 8, as the blocks of a JPEG do.
    """
    top, left = (max(0, (length - side) // 2) // 8 * 8 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def _profiles(image: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the power along both axes in dB, shape (2, BLOCK / 2 + 1), of the textured blocks."""
    step = BLOCK // 2
    windows = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))[::step, ::step]
    blocks = windows.reshape(-1, BLOCK, BLOCK)
    contrast = np.array([float(block.std()) for block in blocks])
    if contrast.max() < 1:
        return None
    chosen = blocks[contrast >= np.quantile(contrast, _TEXTURED)]
    taper = np.hanning(BLOCK + 1)[:BLOCK].astype(np.float32)
    window = np.outer(taper, taper)
    total = np.zeros((BLOCK, BLOCK))
    for block in chosen:
        total += np.abs(np.fft.fft2((block - block.mean()) * window)) ** 2
    power = total / (len(chosen) * float((window**2).sum()))
    half = BLOCK // 2 + 1
    near = [*range(8), *range(-7, 0)]
    return 10 * np.log10(np.stack([power[:half, near].mean(1), power[near, :half].mean(0)]) + 1e-9)


def _cutoff(profiles: NDArray[np.float64]) -> tuple[float, bool]:
    """Find where detail ends: fraction of Nyquist, and whether both axes agree that it does."""
    ends = [_end(profile) for profile in profiles]
    found = [end for end in ends if end is not None]
    if len(found) < 2:
        return 1.0, False
    return sum(found) / len(found) / (BLOCK // 2), True


def _end(profile: NDArray[np.float64]) -> float | None:
    """Return the bin at which a profile falls to nothing, or None."""
    last = len(profile) - 1
    # An image of the spectrum behind a zero of the interpolation.
    for place in range(_FIRST + 2, last - 1):
        before, after = profile[:place].max(), profile[place + 1 :].max()
        lowest = profile[place] <= profile[: place + 1].min()
        deep = profile[place] <= ZERO_LEVEL
        if lowest and deep and after - profile[place] >= EMPTY_RISE and before > after:
            return float(place) * 0.85
    for place in range(_FIRST, last + 1):
        start = max(1, round(place / _OVER))
        if profile[start] - profile[place] < EMPTY_FALL:
            continue
        if profile[place:].max() <= EMPTY_LEVEL:
            # Half-way down.
            half = (profile[start] + profile[place]) / 2
            return float(start + int(np.argmax(profile[start:] <= half)))
    return None


def _octaves(profiles: NDArray[np.float64]) -> tuple[float, tuple[float, ...]]:
    power = 10 ** (profiles / 10)
    eighth = BLOCK // 8
    ratio = power[:, eighth:].mean(1) / power[:, 2:eighth].mean(1)
    levels = 10 * np.log10(power.mean(0))
    return 10 * math.log10(float(ratio.min())), tuple(round(float(one), 3) for one in levels)


def _repeated(image: NDArray[np.float32]) -> float | None:
    """Return the factor of an enlargement that repeats pixels along both axes, or None."""
    factors = []
    for axis in (0, 1):
        changes = np.flatnonzero(np.abs(np.diff(image, axis=axis)).max(1 - axis) > 0)
        gaps = np.diff(changes)
        # Other gaps are no enlargement, but a margin or a drawing.
        if len(gaps) < 8 or gaps.max() - gaps.min() > 1 or gaps.mean() < 1.05:
            return None
        factors.append(float(gaps.mean()))
    return sum(factors) / 2 if abs(factors[0] - factors[1]) < 0.2 else None


def _period(image: NDArray[np.float32], profiles: NDArray[np.float64], empty: bool) -> float | None:
    """Return the factor whose period the derivatives have along both axes, or None."""
    both, grid = _strengths(image, 2)
    near = 3 / (2 * len(grid))
    blocks = float(both[np.abs(grid - 1 / 8) < near].max())
    for eighths in (1, 2, 3, 4):
        close = np.abs(grid - eighths / 8) < near
        # Blocks of a JPEG have all multiples of 1/8; an enlargement by four has 1/4 alone. A colour
        # filter array has 1/2.
        if eighths != 2 or blocks > 0.4 * float(both[close].max()):
            both = np.where(close, 0, both)
    both = np.where(grid < 0.1, 0, both)
    place = int(both.argmax())
    if both[place] >= (PERIOD_PEAK if empty else PERIOD_PEAK_SAFE):
        frequency = float(grid[place])
        large = 1 / frequency
        # 1 / factor above 1/2 is seen as 1 - 1 / factor.
        return large if _ends_before(profiles, large) else 1 / (1 - frequency)
    # Enlarged by two, all pixels have the same variance of the second derivative by symmetry, but
    # not of the third.
    strengths = max(float(_strengths(image, order)[0][-1]) for order in (2, 3))
    return 2.0 if empty and strengths >= PERIOD_PEAK_SAFE else None


def _ends_before(profiles: NDArray[np.float64], factor: float) -> bool:
    """Return whether there is a fall at the end of what an enlargement leaves, or a zero behind."""
    end, zero = BLOCK / 2 / factor, round(BLOCK / factor)
    profile = profiles.mean(0)
    fall = profile[round(0.8 * end)] - profile[min(round(1.6 * end), len(profile) - 1)]
    rises = zero < len(profile) - 2 and profile[zero + 1 :].max() - profile[zero] >= EMPTY_RISE
    return bool(fall >= EMPTY_FALL + 2 or rises)


def _strengths(
    image: NDArray[np.float32], order: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the strength of each frequency, 0 to 1/2, in a derivative along both axes."""
    strengths = [_spectrum_of_trace(image, axis, order) for axis in (0, 1)]
    grid = np.linspace(0, 0.5, min(len(strength) for strength in strengths))
    each = [np.interp(grid, np.linspace(0, 0.5, len(s)), s) for s in strengths]
    return np.sqrt(each[0] * each[1]), grid


def _spectrum_of_trace(image: NDArray[np.float32], axis: int, order: int) -> NDArray[np.float64]:
    """Return the strength of each period of a derivative, relative to the median."""
    change = np.abs(np.diff(image, order, axis=axis))
    change = np.minimum(change, np.quantile(change, 0.9) + 1)
    line = change.mean(1 - axis)
    line = line[: len(line) // 24 * 24]
    smooth = cv2.blur(line[None].astype(np.float32), (_SMOOTH, 1))[0]
    ratio = np.log((line + 0.01) / (smooth + 0.01))
    ratio = np.clip(ratio - ratio.mean(), -1, 1)
    strength = np.abs(np.fft.rfft(ratio * np.hanning(len(ratio))))
    return np.asarray(strength / max(float(np.median(strength[len(strength) // 8 :])), 1e-12))
