"""Bicubic reduction, equal to MATLAB's ``imresize``: the field's standard degradation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError
from realdeg.registry import DEGRADATIONS


@DEGRADATIONS.register_module()
class Bicubic(Degradation):
    """Shrinks with MATLAB's antialiased bicubic kernel.

    Args:
        scale: How much resolution is lost, any number from 1 to 16.
        same_size: Whether the result is enlarged to the HR grid again, by bicubic interpolation.
        uint8_passes: Whether each pass is rounded to 8 bit, as MATLAB does for uint8 images (the
            benchmark LR files were made so). Not differentiable then.
        rim: How the image is continued beyond its rim: ``"mirror"`` (today's MATLAB) or
            ``"replicate"`` (older releases; with ``uint8_passes`` equal to the shared Set5 LR
            files in every pixel).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    any_scale = True

    def __init__(
        self,
        scale: float = 4,
        same_size: bool = False,
        uint8_passes: bool = False,
        rim: str = "mirror",
    ) -> None:
        super().__init__(scale, same_size)
        if rim not in ("mirror", "replicate"):
            raise ConfigError(f"Bicubic: rim is 'mirror' or 'replicate', got {rim!r}.")
        self.uint8_passes, self.rim = uint8_passes, rim

    @property
    def border(self) -> int:
        """LR pixels at each rim that depend on how the image is continued."""
        return bicubic_border(self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Shrink; and enlarge again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size, self.uint8_passes, self.rim)


def bicubic_border(scale: float, same_size: bool, reach: int = 0) -> int:
    """Say how many LR pixels at each rim depend on how the image is continued.

    On the small grid these are 2, whose taps reach beyond the rim. Enlarged again, each counts for
    ``scale`` pixels, and so do the 1.5 more that enlarging looks at and 1 for a picture whose side
    the scale does not divide, because the last small pixel then lies across the rim.

    Args:
        scale: How much resolution is lost.
        same_size: Whether the result is enlarged to the HR grid again.
        reach: Pixels of the small picture that something done to it in between looks away.
    """
    if scale == 1:
        return reach
    return math.ceil((4.5 + reach) * scale) if same_size else 2 + reach


def reduce_bicubic(
    hr: Tensor,
    scale: float,
    same_size: bool,
    uint8_passes: bool = False,
    rim: str = "mirror",
) -> Tensor:
    """Shrink by bicubic interpolation, and return to the HR grid where that is wanted.

    Args:
        hr: HR batch, shape (B, C, H, W).
        scale: How much resolution is lost.
        same_size: Whether to enlarge the result to the HR grid again.
        uint8_passes: See :class:`Bicubic`.
        rim: See :class:`Bicubic`.

    Returns:
        The LR batch.
    """
    if scale == 1:
        return hr
    height, width = hr.shape[-2:]
    small = imresize(hr, 1 / scale, uint8_passes=uint8_passes, border=rim)
    if not same_size:
        return small
    return imresize(small, size=(height, width), uint8_passes=uint8_passes, border=rim)
