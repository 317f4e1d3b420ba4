"""Where an image is flat, and sums and crops, for learning noise from residuals."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

AROUND = 5
"""Pixels over which gradients are averaged: a blur that is not quite right acts around an edge."""
NEAR = 7
"""Pixels around one whose gradients decide whether it is flat."""


def edge_energy(image: Tensor) -> Tensor:
    """Return the squared gradient of an image around each pixel.

    Args:
        image: Values in [0, 1], shape (B, C, h, w).

    Returns:
        Grey levels squared per pixel squared, averaged over 5 x 5 pixels, of the same shape.
    """
    padded = F.pad(image * 255, (1, 1, 1, 1), mode="replicate")
    by_row = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    by_column = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    energy = by_row.square() + by_column.square()
    around = AROUND // 2
    return F.avg_pool2d(energy, AROUND, 1, around, count_include_pad=False)


def surroundings(image: Tensor) -> Tensor:
    """Return the largest :func:`edge_energy` of 7 x 7 pixels and all channels, (B, 1, h, w)."""
    energy = edge_energy(image).amax(1, keepdim=True)
    return F.max_pool2d(energy, NEAR, 1, NEAR // 2)


def sums(image: Tensor, around: int) -> Tensor:
    """Return the sums over so many pixels to each side, up and down."""
    rows = F.avg_pool2d(image, (2 * around + 1, 1), 1, (around, 0), divisor_override=1)
    return F.avg_pool2d(rows, (1, 2 * around + 1), 1, (0, around), divisor_override=1)


def inner_part(image: Tensor, border: int, past: int) -> Tensor:
    """Crop the border, and where noise has no past the more above and beside it."""
    height, width = image.shape[-2:]
    side = border + past
    return image[..., side : height - border, side : width - side]
