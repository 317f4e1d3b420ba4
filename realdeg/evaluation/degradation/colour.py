"""Drift of brightness, contrast and colour between two images of one scene."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

# Means of blocks of this side, in LR pixels, are independent of blur and nearly so of noise.
_BLOCK = 8
# Levels squared: with less variance between blocks, gain cannot be measured.
_LEAST_VARIANCE = 1.0


def block_means(image: Tensor) -> Tensor:
    """Return the means of 8 x 8 blocks: (C, h, w) to (C, n); of smaller images, one mean."""
    if min(image.shape[-2:]) < _BLOCK:
        return image.mean((1, 2))[:, None]
    return avg_pool2d(image[None], _BLOCK)[0].flatten(1)


def colour_drift(generated: Tensor, real: Tensor) -> dict[str, float]:
    """Compare brightness, contrast and colour.

    Args:
        generated: Y, or Y, Cb and Cr in levels of 8 bit, shape (C, h, w).
        real: The same of the real image.

    Returns:
        ``brightness``: mean difference of Y in levels, positive where the generated image is
        brighter. ``gain``: the slope of its block means of Y over the real ones (total least
        squares, which favours neither side), 1 for equal contrast; omitted without contrast.
        ``colour``: length of the mean difference of (Cb, Cr) in levels, for images with colour.
    """
    drift = generated.mean((1, 2)) - real.mean((1, 2))
    result = {"brightness": float(drift[0])}
    slope = total_slope(block_means(generated)[0], block_means(real)[0])
    if slope is not None:
        result["gain"] = slope
    if generated.shape[0] == 3:
        result["colour"] = float(torch.hypot(drift[1], drift[2]))
    return result


def total_slope(values: Tensor, reference: Tensor) -> float | None:
    """Fit a line by total least squares.

    Args:
        values: Shape (n,).
        reference: Shape (n,).

    Returns:
        The slope of values over reference; None without common variation.
    """
    if len(values) < 3:
        return None
    x, y = reference - reference.mean(), values - values.mean()
    xx, yy, xy = (float((a * b).mean()) for a, b in ((x, x), (y, y), (x, y)))
    if xx < _LEAST_VARIANCE or abs(xy) < 1e-9:
        return None
    difference = yy - xx
    return (difference + math.sqrt(difference**2 + 4 * xy**2)) / (2 * xy)
