"""Degradations of the small picture: shrink, change what the camera changes, return to the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import bicubic_border, enlarge_bicubic, reduce_bicubic
from realdeg.degradations.trace import Trace


class ReducedDegradation(Degradation):
    """Shrinks by bicubic interpolation, then lets a subclass :meth:`develop` the small picture.

    With ``same_size`` the small picture is developed first and enlarged to the HR grid last: the
    order of RealSR, whose LR photos left the camera as they are and were interpolated later. As a
    part of a container it leaves the grid alone (scale 1).

    Args:
        scale: How much resolution is lost before.
        same_size: Whether the result is enlarged to the HR grid again.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    same_grid_part: ClassVar[bool] = True

    reach: ClassVar[int] = 0
    """Pixels of the small picture that developing one of them looks away."""

    @property
    def needs_rgb(self) -> bool:
        """Always: cameras and codecs work on colour, and differ from channel to channel."""
        return True

    @property
    def border(self) -> int:
        """LR pixels at each rim that a continued image influences."""
        return bicubic_border(self.scale, self.same_size, self.reach)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Shrink, develop, and enlarge when ``same_size``."""
        small = reduce_bicubic(hr, self.scale, False)
        if not hr.shape[0]:
            return hr[..., : hr.shape[2] // self.stride, : hr.shape[3] // self.stride]
        lr = self.develop(small, traces)
        if not self.same_size or self.scale == 1:
            return lr
        height, width = hr.shape[-2:]
        # A picture stays one: interpolation overshoots at edges.
        return enlarge_bicubic(lr, self.scale, (height, width)).clamp(0, 1)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Change the small pictures as their traces say.

        Args:
            small: At least one image, shape (B, C, h, w) with C = 1 or 3.
            traces: One trace per image.

        Returns:
            The same shape, in [0, 1].
        """
        raise NotImplementedError


def as_range(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return a fixed number, or the least and the greatest that is drawn, as two floats.

    Args:
        value: What was given to a constructor.
    """
    low, high = (value, value) if isinstance(value, int | float) else value
    return float(low), float(high)
