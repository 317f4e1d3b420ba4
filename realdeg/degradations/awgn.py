"""Additive white Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Degradation, Scale
from realdeg.degradations.bicubic import bicubic_border, reduce_bicubic
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class GaussianNoiseParams(TraceParams):
    """White noise.

    Args:
        sigma: Standard deviation in grey levels of 0 to 255.
        noise_seed: The seed of the noise field.
    """

    sigma: Annotated[float, Interval(ge=0, le=255)]
    noise_seed: Seed


@DEGRADATIONS.register_module()
class AWGN(Degradation):
    """Adds white Gaussian noise, independent in every pixel and channel.

    DML (ACCV 2020) adds sigma 5 after the learned blur. As a part of a container it keeps the
    grid (scale 1); on its own it first reduces by bicubic interpolation (the field's "DN").

    Args:
        scale: Downscaling factor, applied before the noise.
        same_size: Whether LR lies on the HR grid.
        sigma: Standard deviation in grey levels of 0 to 255.
        clip: Whether the result is clipped to [0, 1].
        luma: Standard deviation in images of one channel, as networks of luma are trained on;
            None: ``sigma``. The luma of noise that is independent in R, G and B has
            ``219 / 255 sqrt(0.299^2 + 0.587^2 + 0.114^2) = 0.57`` of its level (BT.601).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If a standard deviation is negative.
    """

    unstated = ()
    later_arguments: ClassVar[tuple[str, ...]] = ("luma",)

    same_grid_part: ClassVar[bool] = True

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        sigma: Annotated[float, Interval(ge=0, le=255)] = 5.0,
        clip: bool = True,
        luma: Annotated[float, Interval(ge=0, le=255)] | None = None,
    ) -> None:
        super().__init__(scale, same_size)
        self.sigma, self.clip = float(sigma), clip
        self.luma = None if luma is None else float(luma)

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding."""
        return bicubic_border(self.scale, self.same_size)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the noise field."""
        sigma = self.sigma if size[0] > 1 or self.luma is None else self.luma
        noise = GaussianNoiseParams(sigma, stream_seed(seed, "noise"))
        return Trace("AWGN", {**self.trace_params(), **noise.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Add each image's noise, drawn on the CPU so that every device gets the same."""
        lr = reduce_bicubic(hr, self.scale, self.same_size)
        noise = [
            torch.randn(lr.shape[1:], generator=torch.Generator().manual_seed(drawn.noise_seed))
            * (drawn.sigma / 255)
            for drawn in (trace.read(GaussianNoiseParams) for trace in traces)
        ]
        if noise:
            lr = lr + torch.stack(noise).to(lr)
        return lr.clamp(0, 1) if self.clip else lr

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the noise level in [0, 1]."""
        return {"noise_level": trace.read(GaussianNoiseParams).sigma / 255}
