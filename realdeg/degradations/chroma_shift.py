"""Colour that lies beside the light, as in analogue video and in careless conversions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import pad

from realdeg.degradations.base import Scale
from realdeg.degradations.reduced import ReducedDegradation
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.colour import rgb_to_ycbcr, ycbcr_to_rgb
from realdeg.utils.streams import stream_seed

_MOST = 64
Shift = Annotated[tuple[float, float], Interval(ge=-_MOST, le=_MOST)]


@dataclass(frozen=True)
class ChromaShiftParams(TraceParams):
    """The drawn displacements in LR pixels, down and to the right.

    Args:
        cb: Of Cb.
        cr: Of Cr.
    """

    cb: Shift
    cr: Shift


@DEGRADATIONS.register_module()
class ChromaShift(ReducedDegradation):
    """Moves Cb and Cr against luma by fractions of a pixel.

    Draws: for Cb and Cr, or for both together, displacements down and to the right, uniformly in
    their ranges. Applies: bicubic reduction, then linear interpolation of Cb and Cr with repeated
    borders, and clipping. Luma stays, and so does a grey image.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        rows: Largest displacement up and down, in LR pixels.
        columns: Largest displacement to the left and right, in LR pixels.
        together: Whether Cb and Cr move alike, as in video; otherwise each by itself.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        wtp_dataset_destroyer (umzi2, ``src/process/shift_degr.py``, commit 003b384) moves channels
        of RGB, YUV or CMYK by whole pixels; this is its YUV with fractions, in BT.601.
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        rows: Annotated[float, Interval(ge=0, le=_MOST)] = 1.0,
        columns: Annotated[float, Interval(ge=0, le=_MOST)] = 2.0,
        together: bool = True,
    ) -> None:
        super().__init__(scale, same_size)
        self.rows, self.columns, self.together = float(rows), float(columns), together

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding."""
        reach = math.ceil(max(self.rows, self.columns))
        more = reach * self.scale if self.same_size else reach
        return super().border + more

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the displacements."""
        rng = np.random.default_rng(stream_seed(seed, "chroma"))
        limits = np.array([self.rows, self.columns])
        # Both are always drawn, so that ``together`` does not change Cb's.
        cb, cr = rng.uniform(-limits, limits, (2, 2)).tolist()
        drawn = ChromaShiftParams(tuple(cb), tuple(cb if self.together else cr))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Move the chroma of each image."""
        if small.shape[1] == 1:
            return small.clamp(0, 1)
        images = []
        for image, trace in zip(rgb_to_ycbcr(small), traces, strict=True):
            drawn = trace.read(ChromaShiftParams)
            planes = [image[:1], moved(image[1:2], drawn.cb), moved(image[2:], drawn.cr)]
            images.append(torch.cat(planes))
        return ycbcr_to_rgb(torch.stack(images)).clamp(0, 1)


def moved(plane: Tensor, by: tuple[float, float]) -> Tensor:
    """Displace a plane by linear interpolation with repeated borders.

    Args:
        plane: Shape (C, H, W).
        by: Pixels down and to the right.

    Examples:
        >>> moved(torch.tensor([[[0.0, 1.0, 2.0]]]), (0, 0.5))
        tensor([[[0.0000, 0.5000, 1.5000]]])
    """
    for dim, distance in ((-2, float(by[0])), (-1, float(by[1]))):
        whole = math.floor(distance)
        part = distance - whole
        side, length = abs(whole) + 1, plane.shape[dim]
        around = (side, side, 0, 0) if dim == -1 else (0, 0, side, side)
        padded = pad(plane[None], around, mode="replicate")[0]
        near = padded.narrow(dim, side - whole, length)
        far = padded.narrow(dim, side - whole - 1, length)
        plane = near * (1 - part) + far * part
    return plane
