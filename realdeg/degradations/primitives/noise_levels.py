"""The level of noise by brightness, straight from residuals, without a model of its correlation."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# Squares count at most as those of so many standard deviations, so that few outliers hardly do.
_LARGEST = 2.5
# The mean of such squares of a standard normal value.
_EXPECTED = (
    math.erf(_LARGEST / math.sqrt(2))
    - _LARGEST * math.sqrt(2 / math.pi) * math.exp(-(_LARGEST**2) / 2)
    + _LARGEST**2 * math.erfc(_LARGEST / math.sqrt(2))
)
_ROUNDS = 30
# Below so many values the level of a brightness is that of its neighbours.
_ENOUGH = 200


def robust_variance(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return variances of values around 0 that a few outliers hardly change.

    Proposal 2 of Huber (Ann. Math. Statist. 35, 1964) at a known mean: squares are cut at 6.25
    times the variance that is found. It needs no sorting, and unlike a median of absolute values it
    also measures residuals that are whole numbers.

    Args:
        values: Shape (..., N), N at least 1.
        weights: Of each value, of a shape that broadcasts to ``values``; None: all 1.

    Returns:
        Shape (...); 0 where all weights are.
    """
    squares = values.square()
    weights = torch.ones_like(squares) if weights is None else weights.expand_as(squares)
    total = weights.sum(-1).clamp_min(torch.finfo(squares.dtype).tiny)
    variance = (weights * squares).sum(-1) / total
    for _ in range(_ROUNDS):
        cut = torch.minimum(squares, _LARGEST**2 * variance[..., None])
        variance = (weights * cut).sum(-1) / (total * _EXPECTED)
    return variance


def levels_by_brightness(brightness: Tensor, residual: Tensor, knots: int) -> Tensor:
    """Return the standard deviation of residuals at equally spaced brightnesses, by channel.

    A knot of which too few values tell gets the level of its neighbours, a channel of which too few
    do that of all channels.

    Args:
        brightness: Values in [0, 1], shape (C, N), N at least 1.
        residual: What was measured there, with a mean of 0, of the same shape.
        knots: Number of brightnesses from black to white; 1: no dependence.

    Returns:
        Shape (C, knots), float64, in the unit of ``residual``.
    """
    residual, place = residual.double(), brightness.double().clamp(0, 1) * (knots - 1)
    positions = torch.arange(knots, device=place.device)
    found = []
    for values, at in zip(residual, place, strict=True):
        enough = values.numel() >= _ENOUGH
        whole = float(robust_variance(values if enough else residual.flatten()))
        # Each value counts for the two knots beside it, as it does when the table is interpolated.
        weights = (1 - (at - positions[:, None]).abs()).clamp_min(0)
        table = robust_variance(values.expand(knots, -1), weights).cpu().numpy()
        known = np.flatnonzero((weights.sum(1) >= _ENOUGH).cpu().numpy() & (table > 0))
        if len(known):
            table = np.interp(np.arange(knots), known, table[known])
        else:
            table = np.full(knots, whole)
        found.append(np.sqrt(table))
    return torch.from_numpy(np.stack(found)).to(residual)
