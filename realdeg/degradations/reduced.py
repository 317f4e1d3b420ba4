"""Degradations at LR size: reduce, process, and upsample when ``same_size``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import bicubic_border, enlarge_bicubic, reduce_bicubic
from realdeg.degradations.trace import Trace


class ReducedDegradation(Degradation):
    """Reduces by bicubic interpolation, then lets a subclass :meth:`develop` the LR image.

    With ``same_size`` the LR image is developed first and upsampled to the HR grid last. That is
    the order of RealSR, whose LR photos were interpolated after leaving the camera. As a part of a
    container it keeps the grid (scale 1).

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    same_grid_part: ClassVar[bool] = True

    reach: ClassVar[int] = 0
    """Receptive-field radius of :meth:`develop` in LR pixels."""

    @property
    def needs_rgb(self) -> bool:
        """Always: cameras and codecs work on colour."""
        return True

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding."""
        return bicubic_border(self.scale, self.same_size, self.reach)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Reduce, develop, and upsample when ``same_size``."""
        small = reduce_bicubic(hr, self.scale, False)
        if not hr.shape[0]:
            return hr[..., : hr.shape[2] // self.stride, : hr.shape[3] // self.stride]
        lr = self.develop(small, traces)
        if not self.same_size or self.scale == 1:
            return lr
        height, width = hr.shape[-2:]
        # Interpolation overshoots at edges.
        return enlarge_bicubic(lr, self.scale, (height, width)).clamp(0, 1)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Process LR images according to their traces.

        Args:
            small: At least one image, shape (B, C, h, w) with C = 1 or 3.
            traces: One trace per image.

        Returns:
            The same shape, in [0, 1].
        """
        raise NotImplementedError


def as_range(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return a fixed number or a (lowest, highest) range as two floats."""
    low, high = (value, value) if isinstance(value, int | float) else value
    return float(low), float(high)
