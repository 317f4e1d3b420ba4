"""A pool of kernels or noise as a contact sheet."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from realdeg.utils.image import write_image

if TYPE_CHECKING:
    from realdeg.degradations.pool import Pool

_MOST_CELLS = 64
_GAP = 2
# Noise is amplified by this factor, around mid-grey.
_AMPLIFIED = 8


def pool_picture(pool: Pool, path: str | os.PathLike[str]) -> None:
    """Draw up to 64 items, evenly spread over the pool.

    A kernel's largest tap is white, 0 and below black; noise is amplified by 8, around mid-grey.

    Raises:
        OutputError: If the file cannot be written.
    """
    count = min(len(pool), _MOST_CELLS)
    chosen = np.linspace(0, len(pool) - 1, count).round().astype(int)
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    cells = []
    for index in chosen:
        item = pool.items[int(index)].float()
        if pool.kind == "kernels":
            item = (item / item.max()).clamp(0, 1)[None]
        else:
            item = (0.5 + _AMPLIFIED * item).clamp(0, 1)
        cells.append(item.expand(3, -1, -1).permute(1, 2, 0).numpy())
    # Whole pixels only, so that taps stay squares.
    zoom = max(1, 96 // cells[0].shape[0])
    side = cells[0].shape[0] * zoom + _GAP
    sheet = np.full((down * side + _GAP, across * side + _GAP, 3), 0.25)
    for number, cell in enumerate(cells):
        top, left = (place * side + _GAP for place in divmod(number, across))
        large = cell.repeat(zoom, 0).repeat(zoom, 1)
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    write_image(path, (sheet * 255).round().astype(np.uint8))
