"""Cut an image into tiles for Fourier transforms, and the tiles into chunks for the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import Tensor

# Efficient FFT lengths. The cost per point is about the same for all (memory traffic outweighs the
# logarithm), slightly higher where the length is not a power of two.
_LENGTHS = (32, 36, 40, 48, 56, 60, 64, 72, 80, 96, 104, 108, 112, 120, 128, 144, 160, 192)
_ODD_LENGTH_COST = 1.1


@dataclass(frozen=True)
class Axis:
    """An axis of ``size`` outputs, cut into tiles of ``length`` points that yield ``step`` each."""

    size: int
    step: int
    length: int
    unit: int  # pixels per point

    @property
    def count(self) -> int:
        """Number of tiles."""
        return -(-self.size // (self.step * self.unit))

    @property
    def extent(self) -> int:
        """Pixels that all tiles together read."""
        return ((self.count - 1) * self.step + self.length) * self.unit

    def regions(self, first: int, count: int) -> Iterator[tuple[slice, slice, tuple[int, int]]]:
        """Yield tiles, output pixels and (tiles, pixels each): whole tiles, then the remainder."""
        pixels = self.step * self.unit
        whole = max(0, min(count, self.size // pixels - first))
        if whole:
            start = first * pixels
            yield slice(0, whole), slice(start, start + whole * pixels), (whole, pixels)
        if whole < count:
            start = (first + whole) * pixels
            yield slice(whole, count), slice(start, self.size), (1, self.size - start)


@dataclass(frozen=True)
class Grid:
    """The tiles that cover an image."""

    rows: Axis
    columns: Axis

    @property
    def size(self) -> tuple[int, int]:
        """Points of a tile."""
        return self.rows.length, self.columns.length

    @property
    def cost(self) -> float:
        """Points of all tiles, weighted by how fast their length is transformed."""
        odd = math.prod(_ODD_LENGTH_COST for n in self.size if n & (n - 1))
        return self.rows.count * self.columns.count * math.prod(self.size) * odd


@lru_cache(maxsize=256)
def grid_of(height: int, width: int, kernel_size: tuple[int, int], unit: int) -> Grid:
    """Return the cheapest tiles for an image of ``height x width`` outputs.

    ``unit`` is the number of pixels that a point holds along the columns.
    """
    rows, columns = kernel_size
    down = [_axis(height, rows - 1, n, 1) for n in _LENGTHS if n >= rows]
    halo = (columns - 1) // unit
    across = [_axis(width, halo, n, unit) for n in _LENGTHS if n > halo]
    return min((Grid(rows, columns) for rows in down for columns in across), key=lambda g: g.cost)


def _axis(size: int, halo: int, length: int, unit: int) -> Axis:
    points = -(-size // unit)
    count = -(-points // (length - halo))
    # Equal tiles: the same number of them, none much smaller than the others.
    return Axis(size, -(-points // count), length, unit)


@dataclass(frozen=True)
class Chunk:
    """The tiles processed at a time: those of some samples in a rectangle of the grid."""

    samples: slice
    top: int
    rows: int
    left: int
    columns: int


def chunks(grid: Grid, batch: int, per_tile: int, most: int, each_alone: bool) -> Iterator[Chunk]:
    """Yield chunks of about ``most`` bytes, so that what is computed stays in the cache.

    Args:
        grid: The tiles.
        batch: Number of samples.
        per_tile: Bytes of a tile, over all channels and responses.
        most: Bytes of a chunk.
        each_alone: Whether each sample has its own bases, and so its own chunks.
    """
    most = max(1, most // per_tile)
    wide = min(most, grid.columns.count)
    tall = min(max(1, most // wide), grid.rows.count)
    each = 1 if each_alone else max(1, most // (grid.rows.count * grid.columns.count))
    for sample in range(0, batch, each):
        samples = slice(sample, min(sample + each, batch))
        for top in range(0, grid.rows.count, tall):
            rows = min(tall, grid.rows.count - top)
            for left in range(0, grid.columns.count, wide):
                yield Chunk(samples, top, rows, left, min(wide, grid.columns.count - left))


def outputs(grid: Grid, chunk: Chunk, *fields: Tensor) -> Iterator[tuple[Any, ...]]:
    """Yield the index of a chunk's valid points, and each field (B, X, h, w) at those pixels.

    Fields are viewed as (b, X, tile rows, tile columns, rows, columns).
    """
    for down, lines, (tall, height) in grid.rows.regions(chunk.top, chunk.rows):
        for across, columns, (wide, width) in grid.columns.regions(chunk.left, chunk.columns):
            index = (..., down, across, slice(0, height), slice(0, width))
            views = (
                field[chunk.samples, :, lines, columns]
                .unflatten(-2, (tall, height))
                .unflatten(-1, (wide, width))
                .transpose(-3, -2)
                for field in fields
            )
            yield index, *views
