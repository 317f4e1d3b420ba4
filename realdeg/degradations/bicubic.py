"""Bicubic reduction, equal to MATLAB's ``imresize``: the field's standard degradation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from realdeg.degradations.base import AnyScale, Degradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.trace import Trace
from realdeg.registry import DEGRADATIONS
from realdeg.utils.deprecation import warn_renamed

Padding = Literal["symmetric", "replicate"]


@DEGRADATIONS.register_module()
class Bicubic(Degradation):
    """Shrinks with MATLAB's antialiased bicubic kernel.

    Args:
        scale: How much resolution is lost, any number from 1 to 16.
        same_size: Whether the result is enlarged to the HR grid again, by bicubic interpolation.
        uint8_passes: Whether each pass is rounded to 8 bit, as MATLAB does for uint8 images (the
            benchmark LR files were made so). Not differentiable then.
        rim: The former name of ``padding``, with ``"mirror"`` for ``"symmetric"``.
        padding: How the image goes on beyond its edge: ``"symmetric"`` (None; today's MATLAB) or
            ``"replicate"`` (older releases; with ``uint8_passes`` equal to the shared Set5 LR
            files in every pixel).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    any_scale = True

    def __init__(
        self,
        scale: AnyScale = 4,
        same_size: bool = False,
        uint8_passes: bool = False,
        rim: Literal["mirror", "replicate"] = "mirror",
        padding: Padding | None = None,
    ) -> None:
        super().__init__(scale, same_size)
        if rim != "mirror":
            warn_renamed("Bicubic(rim=...)", "Bicubic(padding=...)")
        self.uint8_passes = uint8_passes
        self.padding: Padding = padding or ("replicate" if rim == "replicate" else "symmetric")

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments; files from before ``padding`` keep their hash."""
        own = super().arguments
        return own if own["padding"] else {k: v for k, v in own.items() if k != "padding"}

    @property
    def border(self) -> int:
        """LR pixels at each rim that depend on how the image is continued."""
        return bicubic_border(self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Shrink; and enlarge again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size, self.uint8_passes, self.padding)


def bicubic_border(scale: float, same_size: bool, reach: int = 0) -> int:
    """Say how many LR pixels at each rim depend on how the image is continued.

    On the small grid these are 2, whose taps reach beyond the rim.

    Args:
        scale: How much resolution is lost.
        same_size: Whether the result is enlarged to the HR grid again.
        reach: Pixels of the small picture that something done to it in between looks away.
    """
    if scale == 1:
        return reach
    return enlarged_border(2 + reach, scale) if same_size else 2 + reach


def enlarged_border(small: int, scale: float) -> int:
    """Say how many pixels at each rim depend on how the image is continued, once it is enlarged.

    Each small pixel counts for ``scale`` pixels, and so do the 1.5 more that enlarging looks at and
    1 for a picture whose side the scale does not divide, because the last small pixel then lies
    across the rim.

    Args:
        small: The same for the small picture.
        scale: How many times it is enlarged; at 1 it stays as it is.
    """
    return small if scale == 1 else math.ceil((small + 2.5) * scale)


def reduce_bicubic(
    hr: Tensor,
    scale: float,
    same_size: bool,
    uint8_passes: bool = False,
    padding: Padding = "symmetric",
) -> Tensor:
    """Shrink by bicubic interpolation, and return to the HR grid where that is wanted.

    Args:
        hr: HR batch, shape (B, C, H, W).
        scale: How much resolution is lost.
        same_size: Whether to enlarge the result to the HR grid again.
        uint8_passes: See :class:`Bicubic`.
        padding: See :class:`Bicubic`.

    Returns:
        The LR batch.
    """
    if scale == 1:
        return hr
    height, width = hr.shape[-2:]
    small = imresize(hr, 1 / scale, uint8_passes=uint8_passes, padding=padding)
    if not same_size:
        return small
    return enlarge_bicubic(small, scale, (height, width), uint8_passes, padding)


def enlarge_bicubic(
    small: Tensor,
    scale: float,
    size: tuple[int, int],
    uint8_passes: bool = False,
    padding: Padding = "symmetric",
) -> Tensor:
    """Enlarge a shrunken image by exactly what it was shrunk by, and cut it to the HR grid.

    Enlarging it to ``size`` instead would stretch a picture whose sides the scale does not divide,
    by up to ``scale - 1`` pixels from one side to the other.

    Args:
        small: The shrunken batch, shape (B, C, ceil(H / scale), ceil(W / scale)).
        scale: How much resolution was lost.
        size: (H, W) of the HR grid.
        uint8_passes: Round to 8 bit after each direction.
        padding: See :class:`Bicubic`.

    Returns:
        Shape (B, C, H, W).
    """
    large = imresize(small, scale, uint8_passes=uint8_passes, padding=padding)
    return large[..., : size[0], : size[1]].contiguous()
