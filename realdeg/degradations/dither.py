"""Few levels per channel with ordered dithering, as old displays and palettes show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Interval, MinLen
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.reduced import ReducedDegradation
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending
from realdeg.utils.streams import stream_seed

Side = Literal[1, 2, 4, 8]
"""Sides of Bayer's matrices; 1 rounds without dithering."""


@dataclass(frozen=True)
class DitherParams(TraceParams):
    """The drawn settings.

    Args:
        levels: Levels per channel, from 2 to 256.
        side: Side of Bayer's matrix, one of 1, 2, 4 and 8.
    """

    levels: Annotated[int, Interval(ge=2, le=256)]
    side: Side


@DEGRADATIONS.register_module()
class Dither(ReducedDegradation):
    """Keeps few levels per channel, with the thresholds of Bayer's matrix.

    Draws: the number of levels, uniformly among the whole numbers of the range; the side of the
    matrix, each equally likely. Applies: bicubic reduction, then ``floor(x (L - 1) + t) / (L - 1)``
    with the threshold t of the pixel, (B + 1/2) / n^2 for the entry B of the n x n matrix.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        levels: (lowest, highest) number of levels per channel; one number fixes it.
        sides: Sides of the matrix to choose from, of 1, 2, 4 and 8; 1 rounds without dithering.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Bayer, IEEE Int. Conf. Communications 1973; the ranges are the defaults of
        wtp_dataset_destroyer (umzi2, ``src/process/dithering_degr.py``, commit 415242b).
    """

    differentiable = False

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        levels: Annotated[int | tuple[int, int], Ascending(), Interval(ge=2, le=256)] = (2, 10),
        sides: Annotated[Sequence[Side], MinLen(1)] = (4, 8),
    ) -> None:
        super().__init__(scale, same_size)
        low, high = (levels, levels) if isinstance(levels, int) else levels
        self.levels, self.sides = (low, high), tuple(sides)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the levels and the matrix."""
        rng = np.random.default_rng(stream_seed(seed, "dither"))
        levels = int(rng.integers(self.levels[0], self.levels[1] + 1))
        side = self.sides[int(rng.integers(len(self.sides)))]
        params = {**self.trace_params(), **DitherParams(levels, side).to_params()}
        return Trace(type(self).__name__, params, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Quantise each image."""
        drawn = [trace.read(DitherParams) for trace in traces]
        images = [
            ordered_dither(image, one.levels, one.side)
            for image, one in zip(small, drawn, strict=True)
        ]
        return torch.stack(images)


def bayer(side: int) -> Tensor:
    """Return Bayer's matrix: the whole numbers below side squared, far from their neighbours.

    Args:
        side: A power of 2.

    Examples:
        >>> bayer(2).tolist()
        [[0, 2], [3, 1]]
    """
    if side == 1:
        return torch.zeros(1, 1, dtype=torch.int64)
    quarter = 4 * bayer(side // 2)
    rows = [torch.cat((quarter, quarter + 2), 1), torch.cat((quarter + 3, quarter + 1), 1)]
    return torch.cat(rows)


def ordered_dither(image: Tensor, levels: int, side: int) -> Tensor:
    """Quantise an image in [0, 1] with the thresholds of Bayer's matrix.

    Args:
        image: Shape (C, H, W).
        levels: Levels per channel, 2 or more.
        side: Side of the matrix, a power of 2.

    Returns:
        The same shape, of ``levels`` different values at most.
    """
    height, width = image.shape[-2:]
    threshold = (bayer(side).to(image) + 0.5) / side**2
    repeats = (-(-height // side), -(-width // side))
    tiled = threshold.repeat(*repeats)[:height, :width]
    return (image.clamp(0, 1) * (levels - 1) + tiled).floor_().div_(levels - 1).clamp_(0, 1)
