"""Bicubic interpolation inside a network, for networks that add a residual to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The s HR pixels of LR pixel i's block depend on i-2 .. i+2.
_REACH = 2


def bicubic_upsample(image: Tensor, factor: int) -> Tensor:
    """Enlarge (B, C, h, w) by a whole factor of 1 or more, as MATLAB's ``imresize`` does.

    Only slices and sums: these export and compile, pass gradients, and keep float32 under autocast
    (which would round a convolution or matrix product to 8 bits of mantissa). Borders are mirrored
    about their edge, values are not clipped.
    """
    if factor == 1:
        return image
    return _along(_along(image, 2, factor), 3, factor)


def _along(image: Tensor, axis: int, factor: int) -> Tensor:
    """Enlarge one axis: a filter of four taps for each of the block's pixels."""
    size = image.shape[axis]
    index = torch.arange(-_REACH, size + _REACH, device=image.device) % (2 * size)
    padded = image.index_select(axis, torch.where(index < size, index, 2 * size - 1 - index))
    pixels = []
    for pixel in range(factor):
        centre = (pixel + 0.5) / factor - 0.5
        first = math.floor(centre) - 1
        weights = [_cubic(centre - first - tap) for tap in range(4)]
        total = padded.narrow(axis, first + _REACH, size) * weights[0]
        for tap in range(1, 4):
            part = padded.narrow(axis, first + tap + _REACH, size)
            total = total.add(part, alpha=weights[tap])
        pixels.append(total)
    return torch.stack(pixels, axis + 1).flatten(axis, axis + 1)


def _cubic(distance: float) -> float:
    """Keys' cubic with a = -0.5."""
    t = abs(distance)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0.0
