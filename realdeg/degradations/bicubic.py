"""Bicubic reduction, equal to MATLAB's ``imresize``: the field's standard degradation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.degradations.base import AnyScale, Degradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce
from realdeg.degradations.trace import Trace
from realdeg.registry import DEGRADATIONS
from realdeg.utils.deprecation import warn_renamed

Padding = Literal["symmetric", "replicate"]


@DEGRADATIONS.register_module()
class Bicubic(Degradation):
    """Reduces with MATLAB's antialiased bicubic kernel.

    Args:
        scale: Downscaling factor, any number from 1 to 16.
        same_size: Whether the result is upsampled back to the HR grid, by bicubic interpolation.
        uint8_passes: Whether each pass is rounded to 8 bit, as MATLAB does for uint8 images and
            as in the benchmark LR files. Not differentiable then.
        rim: The former name of ``padding``, with ``"mirror"`` for ``"symmetric"``.
        padding: How the image is continued beyond its border: ``"symmetric"`` (None; today's
            MATLAB) or ``"replicate"`` (older releases; with ``uint8_passes`` identical to the
            shared Set5 LR files).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    unstated = ()

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
        """LR pixels at each border that depend on the padding."""
        return bicubic_border(self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Reduce, and upsample again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size, self.uint8_passes, self.padding)

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the kernel as ``reduction``, float32, (n, n), n odd, where the scale is whole."""
        if self.scale % 1 or (self.same_size and self.scale > 1):
            return {}
        return {"reduction": blur_and_reduce(torch.ones(1, 1), int(self.scale)).float()}


def bicubic_border(scale: float, same_size: bool, reach: int = 0) -> int:
    """Return how many LR pixels at each border depend on the padding.

    On the LR grid these are 2, whose taps reach beyond the border.

    Args:
        scale: Downscaling factor.
        same_size: Whether the result is upsampled to the HR grid again.
        reach: Receptive-field radius, in LR pixels, of a step between the two.
    """
    if scale == 1:
        return reach
    return enlarged_border(2 + reach, scale) if same_size else 2 + reach


def enlarged_border(small: int, scale: float) -> int:
    """Return how many pixels at each border depend on the padding after bicubic upsampling.

    Each LR pixel becomes ``scale`` pixels. 2.5 LR pixels are added: 1.5 for the taps of the
    upsampling, and 1 for sides not divisible by the scale, whose last LR pixel lies across the
    border.

    Args:
        small: The same for the LR image.
        scale: Upsampling factor; 1 changes nothing.
    """
    return small if scale == 1 else math.ceil((small + 2.5) * scale)


def reduce_bicubic(
    hr: Tensor,
    scale: float,
    same_size: bool,
    uint8_passes: bool = False,
    padding: Padding = "symmetric",
) -> Tensor:
    """Reduce a batch by bicubic interpolation; arguments as for :class:`Bicubic`."""
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
    """Upsample a reduced batch by exactly the factor of its reduction, and crop it to the HR grid.

    Resizing to ``size`` instead would stretch an image whose sides are not divisible by the scale,
    by up to ``scale - 1`` pixels from one side to the other.

    Args:
        small: The reduced batch, shape (B, C, ceil(H / scale), ceil(W / scale)).
        scale: Downscaling factor of the reduction.
        size: (H, W) of the HR grid.
        uint8_passes: Round to 8 bit after each direction.
        padding: See :class:`Bicubic`.

    Returns:
        Shape (B, C, H, W).
    """
    large = imresize(small, scale, uint8_passes=uint8_passes, padding=padding)
    return large[..., : size[0], : size[1]].contiguous()
