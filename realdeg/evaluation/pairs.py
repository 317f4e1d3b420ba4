"""The samples that a protocol measures, from a prediction and its target."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation.protocols import Protocol
from realdeg.utils.colour import rgb_to_grey, to_colour
from realdeg.utils.image import to_array
from realdeg.utils.scales import hr_length, lr_length

# Raises sums that are exactly one half in decimal but slightly less in binary, so that ties round
# up on every machine, as in MATLAB.
_TIE = 1e-9


def round_levels(x: Tensor) -> Tensor:
    """Round values on the 0..255 scale half up and clip them, as MATLAB's uint8 does.

    Args:
        x: Any shape, floating point.

    Returns:
        The same shape, whole numbers in 0..255.
    """
    return x.add(0.5 + _TIE).floor_().clamp_(0, 255)


def to_levels(image: Tensor, protocol: Protocol, grey: bool = False) -> Tensor:
    """Convert one image to the colour and rounding of a protocol.

    RGB is clipped and rounded to 8 bit as in a file, then converted to luma, which is also rounded
    under ``"uint8-y"``. An image that has only Y is rounded once, as Y.

    Args:
        image: RGB or Y in [0, 1], shape (3 or 1, H, W).
        protocol: Defines colour and rounding.
        grey: Whether the file is grey: one channel then holds the file's own values, not luma, and
            three channels replicate them.

    Returns:
        float64 on the 0..255 scale, shape (1 or 3, H, W).
    """
    if grey and image.shape[-3] == 1 and (protocol.colour == "rgb" or protocol.grey != "as-is"):
        image = image.expand(*image.shape[:-3], 3, -1, -1)
    if protocol.rounding == "none":
        levels = image.detach().cpu().double().clamp(0, 1)
    else:
        # Rounded by the function that writes images: measured as it would be saved.
        pixels = torch.from_numpy(to_array(image)).permute(2, 0, 1)
        levels = pixels.contiguous().double().div_(255)
    if grey and protocol.colour == "y" and protocol.grey == "as-is":
        levels = rgb_to_grey(levels).mul(255)
    else:
        levels = to_colour(levels, protocol.colour).mul(255)
    if protocol.rounding == "none":
        return levels
    if protocol.rounding == "uint8-y" or image.shape[-3] == 1:
        return round_levels(levels)
    return levels


def tile_starts(length: int, tile: int, stride: int) -> list[int]:
    """Return where tiles start along one side.

    As in the official script, the tile that ends at the border is appended even if a regular one
    already ends there; it then counts twice.

    Args:
        length: Pixels of the side, at least ``tile``.
        tile: Side of a tile in pixels.
        stride: Distance of tiles in pixels.

    Returns:
        Zero-based first pixels.

    Source:
        ``patchLocation.m`` of RealSR (Cai et al., ICCV 2019).
    """
    return [*range(0, length - tile + 1, stride), length - tile]


def cut_tiles(image: Tensor, protocol: Protocol) -> list[Tensor]:
    """Cut an image into the samples of a protocol.

    Args:
        image: Shape (C, H, W).
        protocol: Defines tile and stride.

    Returns:
        Views of shape (C, h, w); the image itself if it is not tiled.
    """
    tile, stride = protocol.tile, protocol.stride
    height, width = image.shape[-2:]
    if tile is None or stride is None or height <= tile or width <= tile:
        return [image]
    return [
        image[:, top : top + tile, left : left + tile]
        for top in tile_starts(height, tile, stride)
        for left in tile_starts(width, tile, stride)
    ]


def _crop(image: Tensor, protocol: Protocol, scale: float) -> Tensor:
    multiple, border = protocol.mod_crop_for(scale), protocol.border_for(scale)
    height, width = (hr_length(lr_length(side, multiple), multiple) for side in image.shape[-2:])
    return image[:, border : height - border, border : width - border]


def prepare_pair(
    prediction: Tensor,
    target: Tensor,
    protocol: Protocol,
    scale: float,
    *,
    where: str = "the image",
    grey: bool = False,
) -> list[tuple[Tensor, Tensor]]:
    """Turn a prediction and its target into the samples that a protocol measures.

    Args:
        prediction: RGB or Y in [0, 1], shape (3 or 1, H, W).
        target: RGB or Y in [0, 1], shape (3 or 1, H, W).
        protocol: Defines colour, rounding, crop, border and tiles.
        scale: The super-resolution scale, for borders that depend on it.
        where: The image's name in messages.
        grey: Whether the files have one channel; see :func:`to_levels`.

    Returns:
        Pairs of float64 tensors on the 0..255 scale, each of shape (1 or 3, h, w).

    Raises:
        DataError: If the sizes differ, nothing is left after the crop, or RGB is needed for Y.
    """
    cropped = []
    for name, image in (("prediction", prediction), ("target", target)):
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise DataError(
                f"{where}: the {name} has shape {tuple(image.shape)}, wanted (3, H, W)."
            )
        if protocol.colour == "rgb" and image.shape[0] == 1 and not grey:
            raise DataError(
                f"{where}: protocol '{protocol.name}' needs RGB, but the {name} has only Y;"
                " measure under a protocol of colour 'y'."
            )
        if not bool(torch.isfinite(image).all()):
            raise DataError(f"{where}: the {name} holds values that are not finite.")
        cropped.append(_crop(image, protocol, scale))
    first, second = cropped
    if first.shape[-2:] != second.shape[-2:]:
        raise DataError(
            f"{where}: the prediction is {_size(prediction)} but the target {_size(target)}"
            f" (height x width); protocol '{protocol.name}' compares images of the same size."
        )
    if 0 in first.shape:
        raise DataError(
            f"{where} is {_size(target)}: nothing is left of it under protocol '{protocol.name}'"
            f" ({protocol.border_for(scale)} px are cropped from every side)."
        )
    return list(
        zip(
            cut_tiles(to_levels(first, protocol, grey), protocol),
            cut_tiles(to_levels(second, protocol, grey), protocol),
            strict=True,
        )
    )


def _size(image: Tensor) -> str:
    return f"{image.shape[-2]} x {image.shape[-1]}"
