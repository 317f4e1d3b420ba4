"""Cut an image into overlapping tiles for a network.

The network gets each tile with a border as wide as its receptive-field radius (``halo``), and the
border's output is discarded. The result equals that of the whole image, except for networks with
global operations such as pooling (`Backbone.whole_image`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor

from realdeg.errors import GeometryError, MemoryShortageError, argument_name, first_line
from realdeg.utils.memory import is_out_of_memory
from realdeg.utils.scales import hr_length

logger = logging.getLogger(__name__)

SMALLEST_TILE = 32
"""Smallest tile size in input pixels; smaller tiles would not save memory."""

Span = tuple[int, int]
"""First pixel and the one after the last, or height and width."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Args:
        tile: Tile size in input pixels, without the border; None: the whole image at once.
        halo: The network's receptive-field radius in input pixels.
        multiple: Tiles start at multiples of this many input pixels.
        factor: Output pixels per input pixel along an axis. If it is not an integer, ``multiple``
            input pixels must give whole output pixels (:func:`realdeg.utils.scales.whole_step`).
    """

    tile: int | None
    halo: int = 0
    multiple: int = 1
    factor: float = 1

    @property
    def border(self) -> int:
        """Width of a tile's border: the halo, rounded up to a multiple."""
        return _round_up(self.halo, self.multiple)


@dataclass(frozen=True)
class Tile:
    """One tile, in pixels of the network's input.

    Args:
        rows: The rows whose output is kept.
        columns: The columns whose output is kept.
        seen_rows: The rows in the network's input.
        seen_columns: The columns in the network's input.
    """

    rows: Span
    columns: Span
    seen_rows: Span
    seen_columns: Span


def cut(height: int, width: int, tiling: Tiling) -> list[list[Tile]]:
    """Cut an image into tiles.

    Args:
        height: In pixels of the network's input.
        width: In pixels of the network's input.
        tiling: How it is cut.

    Returns:
        The tiles, row by row; together they cover every pixel once.
    """
    columns = list(_seen(width, tiling))
    return [
        [Tile(down, across, rows, seen) for across, seen in columns]
        for down, rows in _seen(height, tiling)
    ]


def output_span(span: Span, factor: float) -> Span:
    """Return the span of output pixels of a span of input pixels."""
    return hr_length(span[0], factor), hr_length(span[1], factor)


def run_tile(
    network: Callable[[Tensor], Tensor], part: Tensor, tile: Tile, tiling: Tiling
) -> Tensor:
    """Run a network on one tile and remove the border.

    Args:
        network: Takes (1, C, h, w), returns (1, C', factor * h, factor * w).
        part: The tile with its border.
        tile: The tile.
        tiling: How the image is cut.

    Returns:
        The output of the tile on the CPU.

    Raises:
        GeometryError: If the network returns an unexpected size.
    """
    output = network(part)
    factor = tiling.factor
    wanted = (hr_length(part.shape[-2], factor), hr_length(part.shape[-1], factor))
    if tuple(output.shape[-2:]) != wanted:
        raise GeometryError(
            f"the network made {output.shape[-2]} x {output.shape[-1]} pixels of"
            f" {part.shape[-2]} x {part.shape[-1]}, {wanted[0]} x {wanted[1]} were expected: its"
            " scale is not the one it declares."
        )
    top, left = tile.seen_rows[0], tile.seen_columns[0]
    rows = output_span((tile.rows[0] - top, tile.rows[1] - top), factor)
    columns = output_span((tile.columns[0] - left, tile.columns[1] - left), factor)
    return output[..., rows[0] : rows[1], columns[0] : columns[1]].cpu()


def within_memory(
    attempt: Callable[[Tiling], _T], size: Span, tiling: Tiling, *, may_shrink: bool
) -> tuple[_T, int | None]:
    """Process an image, and start again with smaller tiles if memory runs out.

    All tiles of an image have the same size.

    Args:
        attempt: Processes the whole image with a tiling; another attempt replaces its result.
        size: Height and width of the network's input.
        tiling: The tiling of the first attempt.
        may_shrink: Whether smaller tiles may be used.

    Returns:
        What the attempt returned, and the tile size that it used (None: the whole image).

    Raises:
        MemoryShortageError: If memory does not suffice for the smallest tile either.
    """
    height, width = size
    longest = max(size)
    now = tiling
    while True:
        try:
            return attempt(now), now.tile
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        smaller = (longest if now.tile is None else min(now.tile, longest)) // 2
        if not may_shrink or smaller < SMALLEST_TILE:
            shape = "the whole image" if now.tile is None else f"tiles of {now.tile} pixels"
            advice = f"Use smaller tiles ({argument_name('tile')})"
            if may_shrink:  # none are left
                advice = "Smaller tiles would save nothing: free memory, use a smaller network"
            raise MemoryShortageError(
                f"memory ran out on an image of {height} x {width} pixels with {shape} ({reason})."
                f" {advice}, or another device."
            )
        logger.warning(
            "memory ran out on an image of %d x %d pixels; starting again with tiles of %d",
            height,
            width,
            smaller,
        )
        now = replace(tiling, tile=smaller)


def _seen(length: int, tiling: Tiling) -> Iterator[tuple[Span, Span]]:
    """Yield spans of about equal length, each also with its border."""
    border = tiling.border
    if tiling.tile is None or tiling.tile >= length:
        yield (0, length), (0, length)
        return
    number = -(-length // tiling.tile)
    step = _round_up(-(-length // number), tiling.multiple)
    for start in range(0, length, step):
        end = min(start + step, length)
        yield (start, end), (max(0, start - border), min(end + border, length))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
