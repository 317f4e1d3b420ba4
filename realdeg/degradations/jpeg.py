"""JPEG compression as a degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives.compression import SUBSAMPLINGS, jpeg
from realdeg.degradations.reduced import ReducedDegradation
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending, Choice
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class JPEGParams(TraceParams):
    """The drawn settings.

    Args:
        quality: libjpeg's quality, from 1 to 100.
    """

    quality: Annotated[int, Interval(ge=1, le=100)]


@DEGRADATIONS.register_module()
class JPEG(ReducedDegradation):
    """Compresses by libjpeg, at a quality drawn for each image.

    Draws: the quality, uniformly among the whole numbers of the range. Applies: bicubic reduction,
    then libjpeg through OpenCV with the channel order handled. Source: the range 30 to 95 is
    BSRGAN's (Zhang et al., ICCV 2021) and Real-ESRGAN's (Wang et al., ICCVW 2021).

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        quality: (lowest, highest) of libjpeg's quality, whole numbers from 1 to 100; one number
            fixes it.
        subsampling: Chroma subsampling: ``"420"``, ``"422"`` or ``"444"``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    unstated = ()

    differentiable = False
    reach = 16  # side of a block of subsampled chroma

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        quality: Annotated[int | tuple[int, int], Ascending(), Interval(ge=1, le=100)] = (30, 95),
        subsampling: Annotated[str, Choice(*SUBSAMPLINGS)] = "420",
    ) -> None:
        super().__init__(scale, same_size)
        low, high = (quality, quality) if isinstance(quality, int) else quality
        self.quality, self.subsampling = (low, high), subsampling

    def trace_params(self) -> dict[str, Any]:
        """Return the geometry and the chroma subsampling."""
        return {**super().trace_params(), "subsampling": self.subsampling}

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the quality."""
        rng = np.random.default_rng(stream_seed(seed, "quality"))
        quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
        params = {**self.trace_params(), **JPEGParams(quality).to_params()}
        return Trace("JPEG", params, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Compress and decompress each image."""
        qualities = [trace.read(JPEGParams).quality for trace in traces]
        return jpeg(small, qualities, self.subsampling)

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the quality divided by 100."""
        return {"jpeg_quality": trace.read(JPEGParams).quality / 100}
