"""Figures of the weights with which a model mixes its basis kernels."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from torch import Tensor

from realdeg.visualization.style import (
    INK,
    LABEL_SIZE,
    MARGIN,
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    pixels,
    save_figure,
    title_space,
    title_width,
    write_title,
)


def weight_maps(
    hr: Tensor | np.ndarray,
    weights: Tensor,
    path: str | os.PathLike[str],
    *,
    shared_scale: bool = True,
    title: str | None = None,
) -> Path:
    """Draw an HR image and the weight map of each basis kernel.

    Args:
        hr: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        weights: Shape (N, h, w) or (1, N, h, w).
        path: The file to write.
        shared_scale: Use one grey scale for all maps, so that they can be compared.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If the shape is another.

    Source:
        Fig. 3 of Xiao, Yong, Zhang, ACCV 2020.
    """
    maps = weights.detach().cpu().float().numpy()
    if maps.ndim == 4 and maps.shape[0] == 1:
        maps = maps[0]
    if maps.ndim != 3 or not len(maps):
        raise ValueError(f"weight maps have shape (N, h, w), got {tuple(weights.shape)}")
    picture = pixels(hr)
    columns = math.ceil(math.sqrt(len(maps) + 1))
    rows = math.ceil((len(maps) + 1) / columns)
    cell = 2.0
    tall = cell * picture.shape[0] / picture.shape[1]
    step = (cell + 0.1, tall + 0.3)
    above, aside = title_space(title), 0.62 if shared_scale else 0.0
    width = max(step[0] * columns - 0.1 + 2 * MARGIN + aside, title_width(title))
    figure = new_figure(width, above + step[1] * rows + MARGIN)
    low, high = min(0.0, float(maps.min())), float(maps.max())
    drawn = None
    for index in range(len(maps) + 1):
        row, column = divmod(index, columns)
        place = (MARGIN + step[0] * column, above + step[1] * row + 0.22)
        axes = axes_at(figure, *place, cell, tall)
        hide_ticks(axes)
        if index == 0:
            axes.imshow(picture, interpolation="antialiased", aspect="auto")
            axes.set_title("HR", fontsize=LABEL_SIZE, color=INK, pad=3)
            continue
        weight = maps[index - 1]
        span = (low, high) if shared_scale else (float(weight.min()), float(weight.max()))
        limits = {"vmin": span[0], "vmax": max(span[1], span[0] + 1e-6)}
        drawn = axes.imshow(weight, cmap="gray", aspect="auto", **limits)
        name = f"$C_{{{index}}}$   mean {weight.mean():.2f}"
        axes.set_title(name, fontsize=LABEL_SIZE, color=INK, pad=3)
    if shared_scale:
        left = MARGIN + step[0] * columns
        beside = axes_at(figure, left, above + 0.22, 0.1, step[1] * rows - 0.3)
        bar = figure.colorbar(drawn, cax=beside)
        bar.ax.tick_params(labelsize=SMALL_SIZE, colors=INK, width=0.5)
        bar.outline.set_linewidth(0.5)
    write_title(figure, title)
    return save_figure(figure, path)
