"""A part of what :func:`imresize` makes, from the part of the image that it needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from realdeg.degradations.primitives.resize import _taps, imresize
from realdeg.utils.precision import full_precision

Span = tuple[int, int]
"""First pixel and the one after the last."""


def imresize_part(
    source: Callable[[Span, Span], Tensor],
    height: int,
    width: int,
    size: tuple[int, int],
    rows: Span,
    columns: Span,
) -> Tensor:
    """Make some rows and columns of a resized image, and ask only for the pixels they come from.

    Args:
        source: Gives the pixels between two rows and two columns of the image, shape
            (B, C, h, w).
        height: Rows of the whole image.
        width: Its columns.
        size: Height and width of the whole result.
        rows: Which rows of the result are wanted.
        columns: Which columns.

    Returns:
        Those pixels of ``imresize(image, size=size)``, but for the last digits of their sums.
        The whole is the same bits.
    """
    if (rows, columns) == ((0, size[0]), (0, size[1])):
        return imresize(source((0, height), (0, width)), size=size)
    down, across = _axis(height, size[0], rows), _axis(width, size[1], columns)
    part = source(down[0], across[0])
    with full_precision(part):
        if down[1] is not None:
            part = torch.matmul(down[1].to(part), part)
        if across[1] is not None:
            part = torch.matmul(part, across[1].to(part).T)
    return part


def _axis(in_size: int, out_size: int, wanted: Span) -> tuple[Span, Tensor | None]:
    """Return what one axis needs, and the matrix that makes what is wanted of it."""
    if in_size == out_size:
        return wanted, None
    weights, indices = _taps(in_size, out_size, out_size / in_size, "symmetric")
    weights, indices = weights[wanted[0] : wanted[1]], indices[wanted[0] : wanted[1]]
    first, last = int(indices.min()), int(indices.max())
    matrix = torch.zeros(len(weights), last + 1 - first, dtype=weights.dtype)
    return (first, last + 1), matrix.scatter_add_(1, indices - first, weights)
