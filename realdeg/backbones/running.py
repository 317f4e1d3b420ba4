"""Turn a backbone's metadata (colour, value range, interpolation) into calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone, Outputs
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError
from realdeg.utils.colour import rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.utils.deprecation import renamed_attributes
from realdeg.utils.scales import hr_length


def network_input(backbone: Backbone, lr: Tensor, scale: float | None = None) -> Tensor:
    """Convert an LR image to the colour and grid that ``forward`` takes, still in [0, 1].

    Args:
        backbone: Its ``colour`` and ``upsample`` decide.
        lr: RGB or Y in [0, 1], shape (B, 3 or 1, h, w).
        scale: The scale of the call; None: the network's.

    Returns:
        Shape (B, C, h, w), or on the HR grid if the network works there.
    """
    image = to_colour(lr, backbone.colour)
    if backbone.upsample == "pre" and not backbone.same_size:
        return imresize(image, size=result_size(backbone, lr, scale))
    return image


def run_backbone(
    backbone: Backbone,
    image: Tensor,
    *,
    scale: float | None = None,
    cond: Tensor | None = None,
) -> Outputs:
    """Run a network on values in [0, 1], and return all of its outputs.

    Args:
        backbone: Its ``value_range`` is applied here.
        image: What :func:`network_input` returned, or a part of it.
        scale: The scale of the call; None: the network's.
        cond: The degradation, for networks that use it.

    Returns:
        ``sr`` in [0, 1], not clipped; ``aux`` in the network's own units.
    """
    output = backbone(image * backbone.value_range, scale=scale, cond=cond)
    if isinstance(output, Outputs):
        return Outputs(output.sr / backbone.value_range, output.aux)
    return Outputs(output / backbone.value_range)


def predict_image(
    backbone: Backbone,
    image: Tensor,
    *,
    scale: float | None = None,
    cond: Tensor | None = None,
) -> Tensor:
    """Run a network as :func:`run_backbone` does, and return its image if all values are finite.

    Raises:
        DataError: If the network returns NaN or infinity.
    """
    sr = run_backbone(backbone, image, scale=scale, cond=cond).sr
    # NaN would silently be written as black.
    if not bool(torch.isfinite(sr).all()):
        raise DataError(
            f"{type(backbone).__name__} returned NaN or infinity: its weights are damaged, or the"
            " image is not one that it was trained for."
        )
    return sr


def complete_colour(backbone: Backbone, output: Tensor, lr: Tensor) -> Tensor:
    """Convert a network's result to RGB.

    Args:
        backbone: Its ``colour`` tells what ``output`` is.
        output: RGB, or Y, which gets the LR image's colour (bicubic); in [0, 1], (B, C, H, W).
        lr: RGB in [0, 1], shape (B, 3, h, w).

    Returns:
        RGB, shape (B, 3, H, W).
    """
    if backbone.colour == "rgb":
        return output
    colour = rgb_to_ycbcr(lr)[..., 1:, :, :]
    size = (int(output.shape[-2]), int(output.shape[-1]))
    if tuple(colour.shape[-2:]) != size:
        colour = imresize(colour, size=size)
    return ycbcr_to_rgb(torch.cat([output, colour.to(output)], dim=-3))


def result_size(backbone: Backbone, lr: Tensor, scale: float | None = None) -> tuple[int, int]:
    """Return height and width of the result for an LR image (B, C, h, w)."""
    return enlarged_size(backbone, int(lr.shape[-2]), int(lr.shape[-1]), scale)


def enlarged_size(
    backbone: Backbone, height: int, width: int, scale: float | None = None
) -> tuple[int, int]:
    """Return height and width of the result for an LR image of that height and width."""
    if backbone.same_size:
        return height, width
    factor = backbone.scale if scale is None else scale
    return hr_length(height, factor), hr_length(width, factor)


if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {"run": f"{__name__}:run_backbone", "call": f"{__name__}:predict_image"},
    )
