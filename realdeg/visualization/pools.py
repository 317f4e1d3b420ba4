"""A pool of kernels or noise as a contact sheet."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization.kernels import kernel_width
from realdeg.visualization.style import (
    INK,
    MARGIN,
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    save_figure,
    title_space,
    title_width,
    write_text,
    write_title,
)
from realdeg.visualization.taps import (
    BAR_WIDTH,
    KEY_HEIGHT,
    KEY_WIDTH,
    draw_kernel,
    draw_tap_bar,
    write_key,
)

if TYPE_CHECKING:
    from realdeg.degradations.pool import Pool

_MOST_CELLS = 64
# Inches.
_CELL, _GAP, _CAPTION = 0.78, 0.06, 0.2
_FOOT = 0.22


def pool_picture(
    pool: Pool,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    stride: int | None = None,
) -> Path:
    """Draw up to 64 items, evenly spread over the pool, on the colours of all kernels.

    Full colour is a kernel's own largest tap. All items of noise share one scale of colours.

    Args:
        pool: The pool.
        path: The file to write.
        title: A heading; None: what the pool holds, and how many of them are shown.
        stride: HR pixels per LR pixel on the grid of the kernels, which places their centre; None:
            the pool's.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
    """
    count = min(len(pool), _MOST_CELLS)
    chosen = np.linspace(0, len(pool) - 1, count).round().astype(int)
    items = [pool.items[int(index)].double().numpy() for index in chosen]
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    kernels = pool.kind == "kernels"
    side = items[0].shape[-1]
    if title is None:
        title = f"Pool of {pool.kind}, x{pool.scale}"
    counted = f"{count} of {len(pool)}" if count < len(pool) else f"{count}"
    what = pool.kind if kernels else "patches of noise"
    foot = f"{counted} {what}, {side} x {side} px; below each: number, "
    foot += "width in px" if kernels else "sigma of 255"
    taken = across * (_CELL + _GAP) + BAR_WIDTH
    needed = (KEY_WIDTH, 0.062 * len(foot), taken)
    width = max(max(needed) + 2 * MARGIN, title_width(title))
    above, line = title_space(title), _CELL + _CAPTION
    key = KEY_HEIGHT if kernels else 0.0
    figure = new_figure(width, above + line * down + _FOOT + key)
    left = (width - taken) / 2
    # Noise: full colour is three standard deviations of all.
    span = None if kernels else 3 * max(float(np.std(items)), 1e-6)
    for number, (index, item) in enumerate(zip(chosen, items, strict=True)):
        row, column = divmod(number, across)
        place = (left + column * (_CELL + _GAP), above + row * line)
        axes = axes_at(figure, *place, _CELL, _CELL)
        if kernels:
            own = 1 if pool.same_size else pool.scale
            draw_kernel(axes, item, stride=stride or own, marks=0.7)
            text = f"{index + 1}: {kernel_width(item):.2f}"
        else:
            axes.imshow(tap_colours(item.mean(axis=0), span), interpolation="nearest")
            hide_ticks(axes)
            text = f"{index + 1}: {255 * item.std():.1f}"
        axes.set_xlabel(text, fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)
    bar = None if span is None else 255 * span
    draw_tap_bar(figure, left + taken - BAR_WIDTH, above, max(_CELL, min(line * down, 2.0)), bar)
    write_text(figure, width / 2, above + line * down + _FOOT / 2, foot, fontsize=SMALL_SIZE - 1)
    if kernels:
        write_key(figure, width / 2, above + line * down + _FOOT)
    write_title(figure, title)
    return save_figure(figure, path)
