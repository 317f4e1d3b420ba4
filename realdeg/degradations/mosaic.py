"""A colour filter array and demosaicing as a degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives.mosaic import (
    DEMOSAIC_METHODS,
    PATTERNS,
    Pattern,
    as_channels,
    as_colour,
    bayer_mosaic,
    demosaic,
)
from realdeg.degradations.reduced import ReducedDegradation
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class PatternParams(TraceParams):
    """The colour filter array.

    Args:
        pattern: Its colours in row-major order, rows and columns 0 and 1.
    """

    pattern: Pattern


@DEGRADATIONS.register_module()
class Mosaic(ReducedDegradation):
    """Keeps one colour per pixel and interpolates the others, as a camera does.

    Draws: the pattern, uniformly, since a crop starts anywhere on the sensor. Applies:
    bicubic reduction, Bayer mosaic, demosaicing, clipping; neither noise nor tone (see
    ``CameraISP`` for those). Source: the filters of Malvar, He & Cutler (ICASSP 2004), which
    BSRGAN's camera model uses, or bilinear interpolation, which Brooks et al. (CVPR 2019) use.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        pattern: ``"RGGB"``, ``"BGGR"``, ``"GRBG"``, ``"GBRG"``, or ``"random"``.
        method: ``"malvar"`` or ``"bilinear"``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``. A
        grey image is treated as a grey object: it is repeated for R, G and B, and the result's
        luminance is returned.

    Raises:
        ConfigError: If the pattern or the method is unknown.
    """

    reach = 2

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        pattern: Annotated[str, Choice(*PATTERNS, "random")] = "random",
        method: Annotated[str, Choice(*DEMOSAIC_METHODS)] = "malvar",
    ) -> None:
        super().__init__(scale, same_size)
        self.pattern, self.method = pattern, method

    def trace_params(self) -> dict[str, Any]:
        """Return the geometry and the method of demosaicing."""
        return {**super().trace_params(), "method": self.method}

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the pattern."""
        pattern = draw_pattern(self.pattern, seed)
        return Trace("Mosaic", {**self.trace_params(), **pattern.to_params()}, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Mosaic and demosaic each image."""
        images = []
        for image, trace in zip(torch.split(as_colour(small), 1), traces, strict=True):
            pattern = trace.read(PatternParams).pattern
            images.append(demosaic(bayer_mosaic(image, pattern), pattern, self.method))
        return as_channels(torch.cat(images).clamp(0, 1), small.shape[1])


def draw_pattern(pattern: str, seed: int) -> PatternParams:
    """Return the given Bayer pattern, or for ``"random"`` one of the four."""
    if pattern != "random":
        return PatternParams(cast(Pattern, pattern))
    rng = np.random.default_rng(stream_seed(seed, "pattern"))
    return PatternParams(PATTERNS[int(rng.integers(len(PATTERNS)))])
