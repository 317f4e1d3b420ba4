"""A network of fixed input size, run over a picture of any size by overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

AT_ONCE = 16
"""Tiles that the network is given at a time."""


@dataclass(frozen=True)
class Axis:
    """How tiles share one side of the picture.

    Attributes:
        starts: Where tiles begin, in LR pixels.
        weights: What each contributes, (tiles, tile * scale).
        boundary: From where on the last tile stands alone, in output pixels.
    """

    starts: list[int]
    weights: Tensor
    boundary: int


def plan_axis(length: int, tile: int, scale: int) -> Axis:
    """Share out a side as IPT's authors do.

    Tiles lie a quarter of their side apart, and their middle halves are averaged. The first
    quarter of a tile is taken from the first one, and the end from one that ends with the picture.

    Args:
        length: The picture's side in LR pixels, no less than the tile's.
        tile: The tile's side in LR pixels, a multiple of 4.
        scale: Output over input size.
    """
    step = tile // 4
    left_over = (length - tile) % step
    starts = list(range(0, length - tile + 1, step))
    boundary = (length - left_over) * scale - (tile - left_over) * scale // 2
    total = torch.zeros(len(starts), length * scale)
    for row, start in zip(total, starts, strict=True):
        row[(start + step) * scale : (start + tile - step) * scale] = 1
    total /= total.sum(0).clamp(min=1)
    total[:, : step * scale] = 0
    total[0, : step * scale] = 1
    total[:, boundary:] = 0
    if left_over:
        starts.append(length - tile)
        total = torch.cat([total, torch.zeros_like(total[:1])])
    total[-1, boundary:] = 1
    cut = [row[s * scale : (s + tile) * scale] for row, s in zip(total, starts, strict=True)]
    return Axis(starts, torch.stack(cut), boundary)


def run_tiled(network: Callable[[Tensor], Tensor], image: Tensor, tile: int, scale: int) -> Tensor:
    """Run a network that takes tiles of one size over a larger picture.

    Args:
        network: Takes (N, C, tile, tile) to (N, C, tile * scale, tile * scale).
        image: (B, C, h, w), both sides no less than the tile's.
        tile: The tile's side in LR pixels, a multiple of 4.
        scale: Output over input size.

    Returns:
        (B, C, h * scale, w * scale).
    """
    batch, channels, height, width = image.shape
    if (height, width) == (tile, tile):
        return network(image)
    down, across = plan_axis(height, tile, scale), plan_axis(width, tile, scale)
    rows, columns = (axis.weights.to(image.device) for axis in (down, across))
    places = [(i, j) for i in range(len(down.starts)) for j in range(len(across.starts))]
    size, together = tile * scale, max(AT_ONCE // max(batch, 1), 1)
    result, corner = None, None
    for first in range(0, len(places), together):
        some = places[first : first + together]
        cut = [
            image[:, :, down.starts[i] :, across.starts[j] :][:, :, :tile, :tile] for i, j in some
        ]
        found = network(torch.cat(cut)).unflatten(0, (len(some), batch))
        if result is None:
            result = found.new_zeros(batch, channels, height * scale, width * scale)
            corner = found[0]
        for (i, j), piece in zip(some, found, strict=True):
            y, x = down.starts[i] * scale, across.starts[j] * scale
            weight = rows[i][:, None] * columns[j]
            result[:, :, y : y + size, x : x + size] += piece * weight.to(piece.dtype)
    assert result is not None and corner is not None
    # The authors paste the left strip after the upper one: the corner is the first tile's alone.
    edge = tile // 4 * scale
    end = max(min(size, across.boundary), edge)
    result[:, :, :edge, edge:end] = corner[:, :, :edge, edge:end]
    return result


def pad_to_size(image: Tensor, least: int) -> Tensor:
    """Pad right and bottom up to a size: reflected, or replicated where the image is too small.

    Args:
        image: (B, C, H, W).
        least: The wanted height and width in pixels; larger ones stay.

    Returns:
        The padded image, or the image itself where nothing was to do.
    """
    height, width = image.shape[-2:]
    bottom, right = max(least - height, 0), max(least - width, 0)
    if not bottom and not right:
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)
