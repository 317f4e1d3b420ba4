"""Where LR pixels lie in the field of view of a lens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from realdeg.utils.place import Place


def field_position(
    place: Place, size: tuple[int, int], device: torch.device | None = None
) -> Tensor:
    """Return the distance from the optical axis of each cell of a grid over an image.

    The unit is half the photo's diagonal, so the radius is 1 in the photo's corners. x and y are
    the radius times the cosine and the sine of the angle; the angle alone would jump on the axis.

    Args:
        place: Where the image lies in its photo.
        size: (rows, columns) of the grid, which divides the image evenly.
        device: Where the result is.

    Returns:
        Radius, x (to the right) and y (downwards), shape (3, rows, columns).
    """
    half = math.hypot(place.photo_height, place.photo_width) / 2
    lines = []
    for count, start, side, photo in (
        (size[0], place.top, place.height, place.photo_height),
        (size[1], place.left, place.width, place.photo_width),
    ):
        cells = torch.arange(count, device=device, dtype=torch.float64) + 0.5
        lines.append(((start + cells * (side / count) - photo / 2) / half).float())
    y, x = torch.meshgrid(*lines, indexing="ij")
    return torch.stack([torch.hypot(x, y), x, y])
