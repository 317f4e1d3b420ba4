"""The part of a grid whose positions all lie inside another image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# Positions that are looked at on each side.
_POINTS = 129


@dataclass(frozen=True)
class Rectangle:
    """A rectangle of pixels.

    Args:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def start(self) -> np.ndarray:
        """First row and column, float64."""
        return np.array([self.top, self.left], np.float64)

    @property
    def middle(self) -> tuple[float, float]:
        """Row and column of the centre."""
        return self.top + (self.height - 1) / 2, self.left + (self.width - 1) / 2

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array with."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def central(self, share: float, step: int = 1) -> Rectangle:
        """Return its middle part, ``share`` of each side, in steps of whole blocks of pixels."""
        size = [max(1, int(share * n / step)) * step for n in (self.height, self.width)]
        return Rectangle(
            self.top + (self.height - size[0]) // 2,
            self.left + (self.width - size[1]) // 2,
            size[0],
            size[1],
        )


def inner_rectangle(
    mapping: Callable[[np.ndarray], np.ndarray],
    size: Sequence[int],
    inside: Sequence[int],
    margin: float,
) -> Rectangle | None:
    """Return a large rectangle of a grid whose border is mapped into an image.

    The side with the largest share of positions outside moves inwards until none is outside.

    Args:
        mapping: Positions (..., 2) of the grid to positions in the image.
        size: Height and width of the grid.
        inside: Height and width of the image.
        margin: Pixels that are kept from the image's edge.

    Returns:
        The rectangle; None if there is none.
    """
    limit = np.array(inside[:2], np.float64) - 1 - margin
    # Top, bottom, left and right: first and last row and column.
    edges = [0, int(size[0]) - 1, 0, int(size[1]) - 1]

    def outside(side: int, place: int) -> float:
        along = (2, 3) if side < 2 else (0, 1)
        line = np.linspace(edges[along[0]], edges[along[1]], _POINTS)
        fixed = np.full_like(line, place)
        at = mapping(np.stack([fixed, line] if side < 2 else [line, fixed], -1))
        return 1 - float(((at >= margin) & (at <= limit)).all(-1).mean())

    while edges[0] < edges[1] and edges[2] < edges[3]:
        shares = [outside(side, edges[side]) for side in range(4)]
        worst = int(np.argmax(shares))
        if shares[worst] == 0:
            return Rectangle(edges[0], edges[2], edges[1] - edges[0] + 1, edges[3] - edges[2] + 1)
        inwards = 1 if worst in (0, 2) else -1
        length = edges[1] - edges[0] if worst < 2 else edges[3] - edges[2]
        leap = edges[worst] + inwards * (length // 32)
        # Far from the image, where all of a line is outside, many lines are skipped.
        far = shares[worst] == 1 and outside(worst, leap) == 1
        edges[worst] = leap if far and leap != edges[worst] else edges[worst] + inwards
    return None
