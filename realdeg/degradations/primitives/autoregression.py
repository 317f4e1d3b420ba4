"""Correlated noise by autoregression: every value is predicted from those before it.

Pixels are visited row by row and, within a pixel, green before red before blue. What cannot be
predicted is independent, so the likelihood of an image is an exact product of one-dimensional
terms, each of which can be integrated over the bin that is rounded to an 8-bit level.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# The channels of a pixel in the order in which they are drawn; most cameras see green best.
_ORDER = (1, 0, 2)
# What is not rounded and beyond this comes from taps whose noise grows without end.
_LARGEST = 1e6
# The share of the energy of a response that may reach the end of what is followed.
_LEFT_OVER = 1e-3
# The outer bound of the bins at the ends, in standard deviations.
_FAR = 1e4


def number_of_taps(radius: int) -> int:
    """Return the number of pixels before the current one, at most ``radius`` rows or columns off.

    Args:
        radius: 0 or more.
    """
    return radius + radius * (2 * radius + 1)


def past_offsets(radius: int) -> list[tuple[int, int]]:
    """Return the places of these pixels, as (rows, columns) from the current one.

    Args:
        radius: 0 or more; 0 gives none.
    """
    side = range(-radius, radius + 1)
    above = [(-row, column) for row in range(radius, 0, -1) for column in side]
    return above + [(0, column) for column in range(-radius, 0)]


def predict(values: Tensor, taps: Tensor, within: Tensor) -> Tensor:
    """Predict each value from the past of its image; what lies outside the image counts as 0.

    Args:
        values: Values of standard scale, shape (B, 3, H, W).
        taps: Weights of the pixels of :func:`past_offsets`, shape (3, 3, N): of the predicted
            channel, of the channel that it is predicted from, of the pixel.
        within: Weights within the pixel: of green for red, of green and of red for blue.

    Returns:
        Shape (B, 3, H, W).
    """
    count = taps.shape[2]
    first, second, third = values.unbind(1)
    green = torch.zeros_like(second)
    found = torch.stack([within[0] * second, green, within[1] * second + within[2] * first], 1)
    if not count:
        return found
    radius = radius_of(count)
    kernel = F.pad(taps, (0, radius + 1)).unflatten(2, (radius + 1, 2 * radius + 1))
    return found + F.conv2d(F.pad(values, (radius, radius, radius, 0)), kernel)


def radius_of(count: int) -> int:
    """Return the radius of a number of taps, the inverse of :func:`number_of_taps`."""
    return round((math.sqrt(1 + 2 * count) - 1) / 2)


def variance_gains(taps: Tensor, within: Tensor, side: int = 32) -> Tensor:
    """Return the variance of the field over that of its unpredictable part, with a gradient.

    The mean of its power spectrum, ``H H*`` with ``H = (1 - A)^-1`` and A the transfer function of
    :func:`predict`. It equals the energy of :func:`response` where that decays.

    Args:
        taps: See :func:`predict`.
        within: See :func:`predict`.
        side: Frequencies along each axis.

    Returns:
        Shape (3,).
    """
    offsets = past_offsets(radius_of(taps.shape[2]))
    zero = torch.zeros_like(within[0])
    rows = [[zero, within[0], zero], [zero] * 3, [within[2], within[1], zero]]
    here = torch.stack([torch.stack(row) for row in rows])
    angle = torch.arange(side, device=taps.device, dtype=taps.dtype) * (2 * math.pi / side)
    places = torch.tensor(offsets, device=taps.device, dtype=taps.dtype).view(-1, 2)
    phase = places[:, :1, None] * angle[:, None] + places[:, 1:, None] * angle
    waves = torch.polar(torch.ones_like(phase), phase)
    transfer = torch.einsum("oin,nab->aboi", taps.to(waves.dtype), waves) + here
    inverse = torch.linalg.inv(torch.eye(3, device=taps.device, dtype=waves.dtype) - transfer)
    return inverse.abs().square().sum(3).mean((0, 1))


def log_density(real: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return the logarithm of the Gaussian density, element by element, in nats.

    Args:
        real: Measured values.
        mean: Expected ones, of the same shape.
        deviation: Their standard deviation, above 0.
    """
    scaled = (real - mean) / deviation
    return -0.5 * scaled.square() - deviation.log() - 0.5 * math.log(2 * math.pi)


def log_bin_probability(real: Tensor, mean: Tensor, deviation: Tensor, levels: int = 255) -> Tensor:
    """Return the logarithm of the probability that a Gaussian value is rounded to a level.

    ``log(Phi((r + 1/2) / s) - Phi((r - 1/2) / s))`` with the residual r and the deviation s; the
    lowest and the highest level also take what is clipped. It is a probability, at most 1, so the
    likelihood has no pole where the deviation vanishes. The logistic form is that of PixelCNN++
    (Salimans et al., ICLR 2017, arXiv 1701.05517, section 2.1).

    Args:
        real: Levels, whole numbers from 0 to ``levels``.
        mean: Expected values in levels, of the same shape.
        deviation: Standard deviations in levels, above 0.
        levels: The highest level.

    Returns:
        In nats, of the same shape; finite and with a gradient in the far tails as well.
    """
    low = torch.where(real <= 0, -_FAR, (real - 0.5 - mean) / deviation)
    high = torch.where(real >= levels, _FAR, (real + 0.5 - mean) / deviation)
    # In the upper tail, where both are near 1, the difference is mirrored into the lower one.
    upper = low + high > 0
    low, high = torch.where(upper, -high, low), torch.where(upper, -low, high)
    log_high: Tensor = torch.special.log_ndtr(high)
    gap = (torch.special.log_ndtr(low) - log_high).clamp_max(-1e-12)
    return log_high + (-torch.expm1(gap)).log()


def draw(
    mean: np.ndarray,
    deviation: np.ndarray,
    normal: np.ndarray,
    taps: np.ndarray,
    within: np.ndarray,
    levels: int | None = 255,
) -> np.ndarray:
    """Draw an image with autoregressive noise, pixel by pixel.

    Pixels on a slanted line do not depend on each other, so all of a line are drawn at once: there
    are W + (R + 1) H lines. Each value is rounded before the next ones are predicted from it, as
    the likelihood assumes. Computed in float64, so that the order of a sum, which differs between
    builds and sizes of a batch, practically never changes a rounded value.

    Args:
        mean: The image without noise in levels, shape (B, 3, H, W), float64.
        deviation: Standard deviation of what is unpredictable in levels, of the same shape.
        normal: Independent standard normal values, of the same shape.
        taps: See :func:`predict`.
        within: See :func:`predict`.
        levels: The highest level that is rounded to; None: nothing is rounded or clipped.

    Returns:
        The image with noise in levels, of the same shape.
    """
    batch, channels, height, width = mean.shape
    count = taps.shape[2]
    radius = radius_of(count)
    wide = width + 2 * radius
    # Channel, place, image: what is gathered for a line lies side by side.
    flat = [
        np.ascontiguousarray(x.transpose(1, 2, 3, 0)).reshape(channels, height * width, batch)
        for x in (mean, deviation, normal)
    ]
    past = np.zeros((channels, (height + radius) * wide, batch))
    made = np.empty_like(flat[0])
    places = np.array([row * wide + column for row, column in past_offsets(radius)], np.int64)
    weights = np.ascontiguousarray(taps, np.float64).reshape(channels, channels * count)
    for rows, columns in _lines(height, width, radius + 1 if count else 0):
        here = rows * width + columns
        there = (rows + radius) * wide + columns + radius
        expected, spread, fresh = (x[:, here] for x in flat)
        found = fresh
        if count:
            seen = past[:, places[:, None] + there].reshape(channels * count, -1)
            found = found + (weights @ seen).reshape(expected.shape)
        scaled = np.empty_like(found)
        for index in _ORDER:
            value = found[index]
            if index == 0:
                value = value + within[0] * scaled[1]
            elif index == 2:
                value = value + (within[1] * scaled[1] + within[2] * scaled[0])
            value = expected[index] + spread[index] * value
            if levels is None:
                value = np.clip(value, -_LARGEST, _LARGEST)
            else:
                value = np.minimum(np.maximum(np.rint(value), 0), levels)
            made[index, here] = value
            scaled[index] = (value - expected[index]) / spread[index]
        past[:, there] = scaled
    result: np.ndarray = made.reshape(channels, height, width, batch).transpose(3, 0, 1, 2)
    return result


def _lines(height: int, width: int, step: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows and columns of the pixels that do not depend on each other.

    A row begins ``step`` pixels behind the one above it; 0: no pixel depends on another.
    """
    if not step:
        rows, columns = np.divmod(np.arange(height * width), width)
        yield rows, columns
        return
    for time in range(width + step * (height - 1)):
        first = max(0, -(-(time - width + 1) // step))
        rows = np.arange(first, min(height - 1, time // step) + 1)
        yield rows, time - step * rows


def response(taps: np.ndarray, within: np.ndarray, side: int = 48) -> np.ndarray:
    """Return what a unit of unpredictable noise in one pixel does to the pixels after it.

    Args:
        taps: See :func:`predict`.
        within: See :func:`predict`.
        side: Pixels that are followed below the pixel, and to either side of it.

    Returns:
        Shape (3, 3, side, 2 * side + 1), float64: the channel that receives, the channel that the
        unit is in, and the place; the pixel itself is in the first row's middle.
    """
    unit = np.zeros((3, 3, side, 2 * side + 1))
    for channel in range(3):
        unit[channel, channel, 0, side] = 1
    zero, one = np.zeros_like(unit), np.ones_like(unit)
    return draw(zero, one, unit, taps, within, None).swapaxes(0, 1)


def response_energy(taps: np.ndarray, within: np.ndarray, side: int = 48) -> np.ndarray | None:
    """Return the variance of the field over that of its unpredictable part.

    Args:
        taps: See :func:`predict`.
        within: See :func:`predict`.
        side: Pixels that are followed.

    Returns:
        Shape (3,), float64; None if the response does not decay within these pixels.
    """
    found = np.square(response(taps, within, side)).sum(1)
    energy: np.ndarray = found.sum((1, 2))
    edge = side // 4
    late = found[:, -edge:].sum((1, 2)) + found[:, :, :edge].sum((1, 2))
    decays = np.isfinite(energy).all() and (late <= _LEFT_OVER * energy).all()
    return energy if decays else None
