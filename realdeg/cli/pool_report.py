"""A pool in words and as a contact sheet."""

from __future__ import annotations

import math
import os

import numpy as np
import torch

from realdeg.degradations.pool import Pool
from realdeg.utils.image import write_image

_MOST_CELLS = 64
_GAP = 2
# Noise is shown this many times stronger, around mid-grey.
_AMPLIFIED = 8


def lines(pool: Pool) -> list[str]:
    """Describe a pool.

    Args:
        pool: The pool.

    Returns:
        What it holds, how it was made, and the spread of what was measured of its items.
    """
    text = [pool.describe()]
    settings = {key: value for key, value in pool.meta.items() if key != "source"}
    if settings:
        text.append(", ".join(f"{key} {_short(value)}" for key, value in settings.items()))
    photos = {str(record["photo"]) for record in pool.records if "photo" in record}
    if photos:
        text.append(f"from {len(photos)} photos")
    if pool.kind == "noise":
        sigma = pool.items.float().flatten(1).std(1, unbiased=False) * 255
        text.append(_quantiles("sigma", sigma.tolist(), "grey levels"))
        return text
    squares = pool.items.double().square()
    text.append(_quantiles("width", [_spread(k) for k in squares], "HR pixels"))
    negative = (-pool.items).clamp(min=0).sum((1, 2)) / pool.items.abs().sum((1, 2))
    text.append(_quantiles("negative share", negative.tolist(), ""))
    for name, unit in (("residual", "grey levels"), ("gain", ""), ("seconds", "")):
        values = [float(record[name]) for record in pool.records if name in record]
        if values:
            text.append(_quantiles(name, values, unit))
    return text


def draw(pool: Pool, path: str | os.PathLike[str]) -> None:
    """Draw up to 64 items, evenly spread over the pool.

    Args:
        pool: The pool.
        path: The picture to write. A kernel's greatest tap is white, 0 and below black; noise is
            eight times as strong, around mid-grey.

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


def _spread(squares: torch.Tensor) -> float:
    """Return a kernel's equivalent standard deviation from its squared taps."""
    mass = squares / squares.sum()
    axis = torch.arange(mass.shape[0], dtype=mass.dtype)
    variance = 0.0
    for profile in (mass.sum(0), mass.sum(1)):
        variance += float(profile @ (axis - profile @ axis).square())
    return math.sqrt(variance)


def _quantiles(name: str, values: list[float], unit: str) -> str:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{name} {middle:.3g} (5 to 95 %: {low:.3g} to {high:.3g}) {unit}".rstrip()


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {item}" for key, item in value.items()) + ")"
    return str(value)
