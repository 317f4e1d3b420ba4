"""Rounding to 8 bit with a gradient, for degradations and networks that are trained through it."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.utils.image import round_to_8_bit

Rounding = Literal["none", "sines", "straight_through"]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return round_to_8_bit(images)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def round_straight_through(images: Tensor) -> Tensor:
    """Clip and round to the levels of 8-bit files; the gradient passes as if nothing was done.

    It also passes where a value was clipped, as in PDM's code.

    Args:
        images: Any shape, 1 being white.

    Returns:
        The same shape, in [0, 1].

    Source:
        Bengio, Leonard, Courville, arXiv 1308.3432; Luo et al., CVPR 2022 (greatlog/UnpairedSR,
        models/deg_sr_model.py at 771312e).
    """
    rounded: Tensor = _StraightThrough.apply(images)  # type: ignore[no-untyped-call]
    return rounded


def round_by_sines(images: Tensor, terms: int = 5) -> Tensor:
    """Approximate rounding to 8 bit smoothly, by the first terms of the sawtooth's Fourier series.

    ``x + sum_i (-1)^i sin(2 pi i 255 x) / (255 pi i)``; nothing is clipped. Half-way between two
    levels its slope is ``1 + 2 * terms``, elsewhere it swings around 0.

    Args:
        images: Any shape, 1 being white.
        terms: Number of sines.

    Returns:
        The same shape.

    Source:
        Luo et al., CVPR 2022 (greatlog/UnpairedSR, archs/deg_arch.py at 771312e).
    """
    levels = images * 255
    out = levels
    for i in range(1, terms + 1):
        out = out + (-1) ** i / (math.pi * i) * torch.sin(2 * math.pi * i * levels)
    return out / 255


def round_as(images: Tensor, rounding: Rounding) -> Tensor:
    """Round in the way of that name; ``"none"`` returns the images unchanged."""
    if rounding == "none":
        return images
    return round_by_sines(images) if rounding == "sines" else round_straight_through(images)
