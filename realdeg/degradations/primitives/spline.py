"""The natural cubic spline through tensors at given times, and its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class SplinePoint(NamedTuple):
    """A spline at one time for each image, each of shape (B, ...)."""

    value: Tensor
    """The spline."""
    first: Tensor
    """Its first derivative by time."""
    second: Tensor
    """Its second derivative."""
    third: Tensor
    """Its third derivative, constant between two knots."""


def natural_spline(knots: Tensor, positions: Sequence[float], times: Tensor) -> SplinePoint:
    """Evaluate the natural cubic spline through knots, one time for each image.

    Its second derivative is 0 at the first and last knot; of two knots it is the straight line.

    Args:
        knots: What it goes through, shape (N, B, ...), N of 2 or more.
        positions: The knots' times, N of them, ascending.
        times: Shape (B,), from the first position to the last.

    Returns:
        Value and derivatives.
    """
    count = len(positions)
    place = torch.tensor(positions, dtype=torch.float64)
    bends = torch.einsum("nm,m...->n...", _bending(place).to(knots), knots)
    place, times = place.to(knots), times.to(knots)
    left = (torch.searchsorted(place, times.contiguous(), right=True) - 1).clamp(0, count - 2)
    each = torch.arange(knots.shape[1], device=knots.device)
    start, end = knots[left, each], knots[left + 1, each]
    bend_start, bend_end = bends[left, each], bends[left + 1, each]
    shape = (-1, *(1,) * (knots.ndim - 2))
    width = (place[left + 1] - place[left]).view(shape)
    b = (times - place[left]).view(shape) / width
    a = 1 - b
    return SplinePoint(
        a * start + b * end + ((a**3 - a) * bend_start + (b**3 - b) * bend_end) * width**2 / 6,
        (end - start) / width
        + width / 6 * ((1 - 3 * a**2) * bend_start + (3 * b**2 - 1) * bend_end),
        a * bend_start + b * bend_end,
        (bend_end - bend_start) / width,
    )


def _bending(place: Tensor) -> Tensor:
    """Return the matrix from knots to second derivatives at them, (N, N), float64."""
    count = len(place)
    bending = torch.zeros(count, count, dtype=torch.float64)
    if count == 2:
        return bending
    width = place.diff()
    slopes = torch.zeros(count - 2, count, dtype=torch.float64)
    system = torch.zeros(count - 2, count - 2, dtype=torch.float64)
    for row in range(count - 2):
        before, after = width[row], width[row + 1]
        slopes[row, row] = 6 / before
        slopes[row, row + 1] = -6 / before - 6 / after
        slopes[row, row + 2] = 6 / after
        system[row, row] = 2 * (before + after)
        if row:
            system[row, row - 1] = before
        if row < count - 3:
            system[row, row + 1] = after
    bending[1:-1] = torch.linalg.solve(system, slopes)
    return bending
