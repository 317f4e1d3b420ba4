"""Whole reductions as one kernel: correlated once, at every s-th pixel, it takes HR to LR.

The window of LR pixel i starts at ``s * i + floor((s - k) / 2)``, so that a kernel whose centroid
lies :func:`~realdeg.degradations.primitives.kernels.centre_rest` from the middle of its window is
centred on the LR pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.resize import keys_cubic


def bicubic_kernel(scale: int) -> Tensor:
    """Return the kernel of MATLAB's bicubic reduction by a whole factor.

    Args:
        scale: HR pixels per LR pixel.

    Returns:
        (k, k), float64, sum 1: k = 4s for even s, 4s - 1 for odd s, and 1 for 1.
    """
    if scale == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    size = 4 * scale - scale % 2
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = keys_cubic(place / scale)
    line = line / line.sum()
    return line[:, None] * line


def placed(kernel: Tensor, first: int, scale: int, least: int = 1) -> Tensor:
    """Surround a kernel with zeros, so that the window of a reduction puts it at a given place.

    Args:
        kernel: (k, k).
        first: The HR pixel under the kernel's first weight, for LR pixel 0.
        scale: HR pixels per LR pixel.
        least: The smallest side of the result.

    Returns:
        (n, n) with n odd, the smallest that holds it.
    """
    side = int(kernel.shape[-1])
    size = max(side, least)
    size += 1 - size % 2
    while not 0 <= first - (scale - size) // 2 <= size - side:
        size += 2
    before = first - (scale - size) // 2
    after = size - side - before
    return F.pad(kernel, (before, after, before, after))


def blur_and_reduce(blur: Tensor, scale: int, pixel: int | None = None) -> Tensor:
    """Return the kernel of a blur that is followed by a reduction.

    Args:
        blur: The correlation kernel (k, k) of the HR image, k odd.
        scale: HR pixels per LR pixel.
        pixel: The pixel of each block that is kept, from 0; None: MATLAB's bicubic reduction.

    Returns:
        (n, n), float64, n odd.
    """
    blur = blur.double()
    reach = int(blur.shape[-1]) // 2
    if pixel is not None:
        return placed(blur, pixel - reach, scale)
    whole = _joined(blur, bicubic_kernel(scale))
    first = (scale - int(bicubic_kernel(scale).shape[-1])) // 2 - reach
    return placed(whole, first, scale)


def reduce_and_blur(blur: Tensor, scale: int) -> Tensor:
    """Return the kernel of MATLAB's bicubic reduction that is followed by a blur.

    Args:
        blur: The correlation kernel (k, k) of the LR image, k odd.
        scale: HR pixels per LR pixel.

    Returns:
        (n, n), float64, n odd.
    """
    side = scale * (int(blur.shape[-1]) - 1) + 1
    wide = blur.new_zeros(side, side, dtype=torch.float64)
    wide[::scale, ::scale] = blur
    return blur_and_reduce(wide, scale)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Return the correlation kernel that does the work of two."""
    reach = int(second.shape[-1]) - 1
    turned = second.flip(0, 1)[None, None]
    return F.conv2d(F.pad(first, (reach,) * 4)[None, None], turned)[0, 0]
