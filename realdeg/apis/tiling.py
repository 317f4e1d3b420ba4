"""Run a network over an image in overlapping tiles.

A tile is handed to the network with a rim (the halo) that is as wide as the network sees, and the
rim's output is thrown away. The result is then the whole image's, save for what reaches further
than any rim: global pooling and the like (`Backbone.whole_image`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from realdeg.errors import GeometryError, RealdegError
from realdeg.utils.scales import hr_length

logger = logging.getLogger(__name__)

SMALLEST_TILE = 32
"""Below this side, in input pixels, memory is not short because of the tile."""


class MemoryShortageError(RealdegError):
    """The memory of the device does not hold the image, or one tile of it."""


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


def run_tiled(network: Callable[[Tensor], Tensor], image: Tensor, tiling: Tiling) -> Tensor:
    """Run a network tile by tile.

    Args:
        network: Takes (1, C, h, w), returns (1, C', factor * h, factor * w).
        image: The input, shape (1, C, H, W).
        tiling: How it is cut.

    Returns:
        The output on the CPU, shape (1, C', factor * H, factor * W).

    Raises:
        GeometryError: If the network returns another size than it should.
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    rows = []
    for top, bottom in _spans(height, tiling):
        pieces = []
        for left, right in _spans(width, tiling):
            pieces.append(_piece(network, image, tiling, (top, bottom), (left, right)))
        rows.append(torch.cat(pieces, dim=-1))
    # Put together from what the network returned, never written into a buffer: a tile that was
    # not computed cannot leave old pixels behind.
    return torch.cat(rows, dim=-2)


def run_within_memory(
    network: Callable[[Tensor], Tensor], image: Tensor, tiling: Tiling, *, may_shrink: bool
) -> tuple[Tensor, int | None]:
    """Run tile by tile, with smaller tiles when memory runs out.

    All tiles of an image have one size: after a shortage the image starts anew.

    Args:
        network: As for :func:`run_tiled`.
        image: The input, shape (1, C, H, W).
        tiling: The first attempt.
        may_shrink: Whether smaller tiles may be taken.

    Returns:
        The output and the side of the tiles that it was made with (None: whole).

    Raises:
        MemoryShortageError: If memory does not suffice for the smallest tile either.
        GeometryError: If the network returns another size than it should.
    """
    attempt = tiling
    while True:
        try:
            return run_tiled(network, image, attempt), attempt.tile
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).splitlines()[0]
        height, width = image.shape[-2:]
        longest = max(height, width)
        smaller = (longest if attempt.tile is None else min(attempt.tile, longest)) // 2
        if not may_shrink or smaller < SMALLEST_TILE:
            shape = "the whole image" if attempt.tile is None else f"tiles of {attempt.tile} pixels"
            raise MemoryShortageError(
                f"memory ran out on an image of {height} x {width} pixels with {shape} ({reason})."
                " Take smaller tiles (tile=), or another device."
            )
        logger.warning(
            "memory ran out on an image of %d x %d pixels; beginning it anew with tiles of %d",
            height,
            width,
            smaller,
        )
        attempt = Tiling(smaller, tiling.halo, tiling.multiple, tiling.factor)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a shortage of memory from other errors: allocators of the CPU raise RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return any(sign in text for sign in ("out of memory", "not enough memory", "allocate memory"))


def _piece(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    tiling: Tiling,
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> Tensor:
    halo = _round_up(tiling.halo, tiling.multiple)
    (top, bottom), (left, right) = rows, columns
    y0, x0 = max(0, top - halo), max(0, left - halo)
    part = image[..., y0 : bottom + halo, x0 : right + halo]
    output = network(part)
    factor = tiling.factor
    wanted = (hr_length(part.shape[-2], factor), hr_length(part.shape[-1], factor))
    if tuple(output.shape[-2:]) != wanted:
        raise GeometryError(
            f"the network made {output.shape[-2]} x {output.shape[-1]} pixels of"
            f" {part.shape[-2]} x {part.shape[-1]}, {wanted[0]} x {wanted[1]} were expected: its"
            " scale is not what it says."
        )
    inner = output[
        ...,
        hr_length(top - y0, factor) : hr_length(bottom - y0, factor),
        hr_length(left - x0, factor) : hr_length(right - x0, factor),
    ]
    return inner.cpu()


def _spans(length: int, tiling: Tiling) -> list[tuple[int, int]]:
    """Cut a side into spans that are about equally long."""
    if tiling.tile is None or tiling.tile >= length:
        return [(0, length)]
    number = -(-length // tiling.tile)
    step = _round_up(-(-length // number), tiling.multiple)
    return [(start, min(start + step, length)) for start in range(0, length, step)]


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
