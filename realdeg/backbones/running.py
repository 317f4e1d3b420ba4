"""The one place where a backbone's metadata become calls: colour, range, interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone, Outputs
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError
from realdeg.utils.colour import rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.utils.scales import hr_length


def network_input(backbone: Backbone, lr: Tensor, scale: float | None = None) -> Tensor:
    """Bring an LR image to what ``forward`` takes, the value range aside.

    Args:
        backbone: The network.
        lr: RGB or Y in [0, 1], shape (B, 3 or 1, h, w).
        scale: The scale of the call; None: the network's.

    Returns:
        The network's colour in [0, 1], shape (B, C, h, w), or on the HR grid where the network
        wants that.
    """
    image = to_colour(lr, backbone.colour)
    if backbone.upsample == "pre" and not backbone.same_size:
        return imresize(image, size=result_size(backbone, lr, scale))
    return image


def run(
    backbone: Backbone,
    image: Tensor,
    *,
    scale: float | None = None,
    cond: Tensor | None = None,
) -> Outputs:
    """Run the network on numbers in [0, 1].

    Args:
        backbone: The network.
        image: What :func:`network_input` made, or a part of it.
        scale: The scale of the call; None: the network's.
        cond: What a network that is told the degradation wants to know.

    Returns:
        Every output in [0, 1], not clipped; ``aux`` as the network gave it.
    """
    output = backbone(image * backbone.value_range, scale=scale, cond=cond)
    if isinstance(output, Outputs):
        return Outputs(output.sr / backbone.value_range, output.aux)
    return Outputs(output / backbone.value_range)


def call(
    backbone: Backbone,
    image: Tensor,
    *,
    scale: float | None = None,
    cond: Tensor | None = None,
) -> Tensor:
    """Run the network for its image alone, and make sure that it is one.

    Args:
        backbone: The network.
        image: What :func:`network_input` made, or a part of it.
        scale: The scale of the call; None: the network's.
        cond: What a network that is told the degradation wants to know.

    Returns:
        The image in [0, 1], not clipped.

    Raises:
        DataError: If the network returns NaN or infinity.
    """
    sr = run(backbone, image, scale=scale, cond=cond).sr
    # NaN would be written as black, and nobody would know.
    if not bool(torch.isfinite(sr).all()):
        raise DataError(
            f"{type(backbone).__name__} returned NaN or infinity: its weights are damaged, or the"
            " image is none that it was trained for."
        )
    return sr


def complete_colour(backbone: Backbone, output: Tensor, lr: Tensor) -> Tensor:
    """Make RGB of what the network returned.

    Args:
        backbone: The network.
        output: RGB, or Y, to which the LR image's colour is added (bicubic), in [0, 1], shape
            (B, C, H, W).
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
    return enlarged(backbone, int(lr.shape[-2]), int(lr.shape[-1]), scale)


def enlarged(
    backbone: Backbone, height: int, width: int, scale: float | None = None
) -> tuple[int, int]:
    """Return height and width of the result for an LR image of so many rows and columns."""
    if backbone.same_size:
        return height, width
    factor = backbone.scale if scale is None else scale
    return hr_length(height, factor), hr_length(width, factor)
