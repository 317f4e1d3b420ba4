"""Cut an image into overlapping tiles for a network.

A tile is handed to the network with a rim (the halo) that is as wide as the network sees, and the
rim's output is thrown away. The result is then the whole image's, save for what reaches further
than any rim: global pooling and the like (`Backbone.whole_image`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from torch import Tensor

from realdeg.errors import GeometryError, MemoryShortageError, argument_name, first_line
from realdeg.utils.memory import is_out_of_memory
from realdeg.utils.scales import hr_length

logger = logging.getLogger(__name__)

SMALLEST_TILE = 32
"""Below this side, in input pixels, memory is not short because of the tile."""

Span = tuple[int, int]
"""First pixel and the one after the last."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Args:
        tile: Side of a tile in input pixels, rim not counted; None: the whole image at once.
        halo: Width of the rim in input pixels.
        multiple: Tiles start at multiples of this many input pixels.
        factor: Output pixels per input pixel, to one side; where it is no whole number,
            ``multiple`` input pixels have to be whole output pixels (:func:`whole_step`).
    """

    tile: int | None
    halo: int = 0
    multiple: int = 1
    factor: float = 1

    @property
    def rim(self) -> int:
        """The halo, as far as tiles may begin there."""
        return _round_up(self.halo, self.multiple)


@dataclass(frozen=True)
class Tile:
    """One tile, in pixels of the network's input.

    Args:
        rows: The rows whose output is kept.
        columns: The columns whose output is kept.
        seen_rows: The rows that the network is given.
        seen_columns: The columns that the network is given.
    """

    rows: Span
    columns: Span
    seen_rows: Span
    seen_columns: Span


def whole_step(factor: float) -> int | None:
    """Return how many input pixels become whole output pixels, where tiles may begin.

    Args:
        factor: Output pixels per input pixel, to one side.

    Returns:
        That number of input pixels, or None for a factor with more than three decimals.

    Examples:
        >>> whole_step(4), whole_step(2.5), whole_step(2.37), whole_step(3**0.5)
        (1, 2, 100, None)
    """
    fraction = Fraction(factor).limit_denominator(1000)
    return fraction.denominator if abs(fraction - Fraction(factor)) < 1e-12 else None


def cut(height: int, width: int, tiling: Tiling) -> list[list[Tile]]:
    """Cut an image into tiles.

    Args:
        height: Its rows, in pixels of the network's input.
        width: Its columns.
        tiling: How it is cut.

    Returns:
        The tiles, row by row; together they hold every pixel once.
    """
    columns = list(_seen(width, tiling))
    return [
        [Tile(down, across, rows, seen) for across, seen in columns]
        for down, rows in _seen(height, tiling)
    ]


def output_span(span: Span, factor: float) -> Span:
    """Return the output pixels that a span of input pixels becomes."""
    return hr_length(span[0], factor), hr_length(span[1], factor)


def run_tile(
    network: Callable[[Tensor], Tensor], part: Tensor, tile: Tile, tiling: Tiling
) -> Tensor:
    """Run a network on one tile and cut the rim off.

    Args:
        network: Takes (1, C, h, w), returns (1, C', factor * h, factor * w).
        part: What the tile sees of the image.
        tile: The tile.
        tiling: How the image is cut.

    Returns:
        The output of the tile on the CPU.

    Raises:
        GeometryError: If the network returns another size than it should.
    """
    output = network(part)
    factor = tiling.factor
    wanted = (hr_length(part.shape[-2], factor), hr_length(part.shape[-1], factor))
    if tuple(output.shape[-2:]) != wanted:
        raise GeometryError(
            f"the network made {output.shape[-2]} x {output.shape[-1]} pixels of"
            f" {part.shape[-2]} x {part.shape[-1]}, {wanted[0]} x {wanted[1]} were expected: its"
            " scale is not what it says."
        )
    top, left = tile.seen_rows[0], tile.seen_columns[0]
    rows = output_span((tile.rows[0] - top, tile.rows[1] - top), factor)
    columns = output_span((tile.columns[0] - left, tile.columns[1] - left), factor)
    return output[..., rows[0] : rows[1], columns[0] : columns[1]].cpu()


def within_memory(
    attempt: Callable[[Tiling], _T], size: Span, tiling: Tiling, *, may_shrink: bool
) -> tuple[_T, int | None]:
    """Work on an image, and begin it anew with smaller tiles when memory runs out.

    All tiles of an image have one size.

    Args:
        attempt: Does the whole work with a tiling; begun anew, it leaves nothing of before.
        size: Height and width of the network's input.
        tiling: The first attempt.
        may_shrink: Whether smaller tiles may be taken.

    Returns:
        What the attempt returned, and the side of the tiles that it was made with (None: whole).

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
            raise MemoryShortageError(
                f"memory ran out on an image of {height} x {width} pixels with {shape} ({reason})."
                f" Take smaller tiles ({argument_name('tile')}), or another device."
            )
        logger.warning(
            "memory ran out on an image of %d x %d pixels; beginning it anew with tiles of %d",
            height,
            width,
            smaller,
        )
        now = replace(tiling, tile=smaller)


def _seen(length: int, tiling: Tiling) -> Iterator[tuple[Span, Span]]:
    """Cut a side into spans that are about equally long, each with what its tile sees."""
    rim = tiling.rim
    if tiling.tile is None or tiling.tile >= length:
        yield (0, length), (0, length)
        return
    number = -(-length // tiling.tile)
    step = _round_up(-(-length // number), tiling.multiple)
    for start in range(0, length, step):
        end = min(start + step, length)
        yield (start, end), (max(0, start - rim), min(end + rim, length))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
