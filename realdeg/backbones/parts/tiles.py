"""Run a network of fixed input size over an image of any size in overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from realdeg.backbones.parts.common import pad_end

AT_ONCE = 16
"""Tiles per batch."""


@dataclass(frozen=True)
class Axis:
    """How tiles share one side of the image.

    Attributes:
        starts: First pixel of each tile, in LR pixels.
        weights: Weight of each tile's pixels, (tiles, tile * scale).
        boundary: First output pixel that only the last tile provides.
    """

    starts: list[int]
    weights: Tensor
    boundary: int


def plan_axis(length: int, tile: int, scale: int) -> Axis:
    """Place tiles along a side as IPT's authors do.

    Tiles lie a quarter of their side apart, and their middle halves are averaged. The first quarter
    comes from the first tile, and the end from a tile that ends with the image.

    Args:
        length: The image's side in LR pixels, at least the tile's.
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
    """Run a network that accepts tiles of one size over a larger image.

    Args:
        network: Maps (N, C, tile, tile) to (N, C, tile * scale, tile * scale).
        image: (B, C, h, w), both sides at least the tile's.
        tile: The tile's side in LR pixels, a multiple of 4.
        scale: Output over input size.
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
    # The authors paste the left strip after the upper one: the corner is only the first tile's.
    edge = tile // 4 * scale
    end = max(min(size, across.boundary), edge)
    result[:, :, :edge, edge:end] = corner[:, :, :edge, edge:end]
    return result


def pad_to_size(image: Tensor, least: int) -> Tensor:
    """Pad the sides of (B, C, H, W) to at least ``least`` pixels, as ``pad_to_multiple`` pads."""
    height, width = image.shape[-2:]
    return pad_end(image, max(least - height, 0), max(least - width, 0))
