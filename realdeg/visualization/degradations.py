"""Figures of degradations: a comparison of several, and previews of one."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from realdeg.visualization.kernels import kernel_width
from realdeg.visualization.sheets import busiest_crop, enlarge_crop, telling_crop
from realdeg.visualization.style import (
    ACCENT,
    COLOURS,
    INK,
    LABEL_SIZE,
    MARGIN,
    MUTED,
    SMALL_SIZE,
    axes_at,
    frame_crop,
    hide_ticks,
    label_size,
    new_figure,
    pixels,
    plain_axes,
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

# Inches.
_CELL, _GAP, _PLOT = 1.45, 0.08, 2.4
_SHOWN = 3.4
_MOST_SHOWN = 8
_CAPTION, _CAPTION_LINES = 96, 3

Curve = tuple[Tensor, Tensor]


def degradation_comparison(
    names: Sequence[str],
    shown: Sequence[Mapping[str, Any]],
    kernels: Mapping[str, Tensor],
    plots: Mapping[str, Mapping[str, Curve]],
    path: str | os.PathLike[str],
    *,
    crop_size: int | None = None,
    title: str | None = None,
    caption: str = "PSNR and SSIM below each crop",
    stride: int = 1,
) -> Path:
    """Draw crops, effective kernels and curves of several degradations and the real camera.

    Args:
        names: The degradations, in the order of the columns.
        shown: Rows of crops, possibly none: ``key``, ``hr``, ``real`` and ``made``, a mapping from
            a degradation's name, or that of another column, to its image and the text below it;
            possibly ``crop``, the crop's top, left and side in HR pixels.
        kernels: Effective kernels (k, k) by name, including ``"camera"``.
        plots: By heading ``"what|x axis|y axis"``: curves (x, y) by name.
        path: The file to write.
        crop_size: Side of the crops in HR pixels where a row states none; by default a quarter of
            the shorter side.
        title: A heading.
        caption: Meaning of the values, with the protocol.
        stride: HR pixels per LR pixel on the grid, which places the centre of the kernels.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If there is nothing to draw.
    """
    if not names or not (shown or kernels or plots):
        raise ValueError("a comparison needs at least one degradation and something to draw")
    others = [name for row in shown for name in row["made"] if name not in names]
    columns = ["HR", "camera", *dict.fromkeys(others), *names]
    left = 0.32
    above, heading, line = title_space(title), 0.26, _CELL + 0.38
    wide = left + len(columns) * (_CELL + _GAP)
    width = max(wide + (BAR_WIDTH if kernels else 0.0) + MARGIN, 9.0)
    below = above + heading + line * len(shown) + 0.1
    kernel_space = _CELL * 0.7 + 0.35 + KEY_HEIGHT if kernels else 0.0
    plot_space = _PLOT + 0.35 if plots else 0.0
    figure = new_figure(width, below + kernel_space + plot_space + 0.25)
    for column, name in enumerate(columns if shown else ["", *columns[1:]]):
        middle = left + column * (_CELL + _GAP) + _CELL / 2
        write_text(figure, middle, above + heading / 2, name, fontsize=label_size(name, _CELL))
    for number, row in enumerate(shown):
        _draw_crops(figure, row, columns, left, above + heading + line * number, crop_size)
    for column, name in enumerate(columns):
        if name in kernels:
            place = (left + column * (_CELL + _GAP) + _CELL * 0.15, below)
            _draw_kernel(axes_at(figure, *place, _CELL * 0.7, _CELL * 0.7), kernels[name], stride)
    if kernels:
        place = (left + _CELL / 2, below + _CELL * 0.35)
        write_text(figure, *place, "effective kernels\n(least squares)", fontsize=SMALL_SIZE)
        draw_tap_bar(figure, wide, below, _CELL * 0.7)
        middle = max(left + (_CELL + _GAP) * 1.5 + _CELL / 2, KEY_WIDTH / 2)
        write_key(figure, middle, below + _CELL * 0.7 + 0.28)
    if plots:
        _draw_plots(figure, plots, ["camera", *names], below + kernel_space, width)
    height = figure.get_size_inches()[1]
    write_text(figure, width / 2, height - 0.15, caption, fontsize=SMALL_SIZE, color=MUTED)
    write_title(figure, title)
    return save_figure(figure, path)


def _draw_crops(
    figure: Any,
    row: Mapping[str, Any],
    columns: Sequence[str],
    left: float,
    top: float,
    crop_size: int | None,
) -> None:
    hr = pixels(row["hr"])
    full = (hr.shape[0], hr.shape[1])
    if "crop" in row:
        *crop, size = row["crop"]
    else:
        size = min(crop_size or min(full) // 4, *full)
        crop = telling_crop([*(pixels(image) for image, _ in row["made"].values()), hr], size)
    write_text(figure, left / 2, top + _CELL / 2, row["key"][:24], rotation=90)
    images = {"HR": (hr, None), "camera": (pixels(row["real"]), None), **row["made"]}
    for column, name in enumerate(columns):
        if name not in images:
            continue
        image, text = images[name]
        axes = axes_at(figure, left + column * (_CELL + _GAP), top, _CELL, _CELL)
        hide_ticks(axes)
        axes.imshow(enlarge_crop(pixels(image), (crop[0], crop[1]), size, full, 4 * size))
        if text is not None:
            axes.set_xlabel(text, fontsize=SMALL_SIZE, color=INK, labelpad=2)


def _draw_kernel(axes: Any, kernel: Tensor, stride: int) -> None:
    array = kernel.detach().cpu().double().numpy()
    draw_kernel(axes, array, stride=stride)
    caption = f"sum {array.sum():.3f}, width {kernel_width(array):.2f} px"
    axes.set_xlabel(caption, fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)


def _draw_plots(
    figure: Any,
    plots: Mapping[str, Mapping[str, Curve]],
    names: Sequence[str],
    top: float,
    width: float,
) -> None:
    each = (width - 2 * MARGIN) / len(plots)
    for number, (heading, curves) in enumerate(plots.items()):
        what, x_name, y_name = heading.split("|")
        place = (MARGIN + number * each + 0.55, top + 0.2, each - 0.7, _PLOT - 0.25)
        axes = axes_at(figure, *place)
        for name in names:
            if name not in curves:
                continue
            x, y = (np.asarray(values.tolist()) for values in curves[name])
            real = name == "camera"
            colour = INK if real else COLOURS[(names.index(name) - 1) % len(COLOURS)]
            # Colours repeat with dashed lines.
            dashed = not real and names.index(name) > len(COLOURS)
            axes.plot(
                x,
                y,
                color=colour,
                linewidth=2.4 if real else 1.3,
                linestyle="--" if dashed else "-",
                label=name,
                zorder=1 if real else 2,
            )
        axes.set_title(what, fontsize=LABEL_SIZE, color=INK, pad=4)
        axes.set_xlabel(x_name, fontsize=SMALL_SIZE, color=INK, labelpad=2)
        axes.set_ylabel(y_name, fontsize=SMALL_SIZE, color=INK, labelpad=2)
        axes.tick_params(labelsize=SMALL_SIZE - 1, colors=INK, width=0.5)
        plain_axes(axes)
        if number == 0:
            axes.legend(fontsize=SMALL_SIZE - 1, frameon=False, labelcolor=INK)


def degradation_preview(
    hr: Tensor | np.ndarray,
    samples: Sequence[tuple[Tensor | np.ndarray, Sequence[str]]],
    path: str | os.PathLike[str],
    *,
    words: Sequence[str] = (),
    title: str | None = None,
    crop_size: int | None = None,
) -> Path:
    """Draw an HR image and, below it, sampled LR images with a description of each.

    Args:
        hr: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        samples: LR images with lines of text.
        path: The file to write.
        words: Lines of text beside HR.
        title: A heading.
        crop_size: Side, in HR pixels, of the enlarged square beside each image; by default half of
            the shorter side.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
    """
    picture = pixels(hr)
    full = (picture.shape[0], picture.shape[1])
    size = min(crop_size or max(min(full) // 2, 16), *full)
    crop = busiest_crop(picture, size)
    cell, line = 1.9, 0.15
    rows = [(picture, list(words)), *((pixels(image), list(text)) for image, text in samples)]
    across = min(cell * full[1] / full[0], 2 * cell)
    tall = min(cell, across * full[0] / full[1])
    heights = [max(cell, line * (len(text) + 1)) for _, text in rows]
    longest = max((len(text) for _, lines in rows for text in lines), default=0)
    text_width = max(2.6, 0.0605 * longest)
    start = MARGIN + across + _GAP + cell + 2 * _GAP
    above = title_space(title)
    width = start + text_width + MARGIN
    figure = new_figure(width, above + sum(heights) + _GAP * len(rows))
    top = above
    for number, ((image, lines), height) in enumerate(zip(rows, heights, strict=True)):
        axes = axes_at(figure, MARGIN, top, across, tall)
        hide_ticks(axes)
        axes.imshow(image, interpolation="nearest", aspect="auto")
        if number == 0:
            frame_crop(axes, crop, size, 1.2)
        axes = axes_at(figure, MARGIN + across + _GAP, top, cell, cell)
        hide_ticks(axes)
        axes.imshow(enlarge_crop(image, crop, size, full, 8 * size))
        for index, text in enumerate(lines):
            style = {"fontsize": SMALL_SIZE - 1, "fontfamily": "monospace"}
            style["fontweight"] = "bold" if index == 0 else "normal"
            place = top + line * (index + 0.6)
            write_text(figure, start, place, text, horizontalalignment="left", **style)
        top += height + _GAP
    write_title(figure, title)
    return save_figure(figure, path)


def degradation_figure(
    hr: Tensor | np.ndarray,
    lr: Tensor | np.ndarray,
    kernels: Tensor | None,
    points: Sequence[tuple[int, int]],
    *,
    stride: int,
    title: str | None = None,
    caption: str | None = None,
) -> Any:
    """Draw an HR image, its LR beside it, and the kernels between them.

    Args:
        hr: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        lr: The same of LR.
        kernels: Shape (P, k, k), drawn with one scale for all; None: unknown.
        points: (row, column) of the LR pixels that the kernels belong to, which are numbered in
            HR; empty for one kernel of the whole image.
        stride: HR pixels per LR pixel.
        title: A heading.
        caption: Lines below.

    Returns:
        The figure.
    """
    pictures = (pixels(hr), pixels(lr))
    high, wide = pictures[0].shape[:2]
    across = _SHOWN * min(1.0, wide / high)
    down = across * high / wide
    stack = [] if kernels is None else list(kernels[:_MOST_SHOWN])
    above, heading = title_space(title), 0.26
    kernel_space = _CELL * 0.7 + 0.5 if stack else 0.0
    lines = textwrap.wrap(caption or "", _CAPTION)[:_CAPTION_LINES]
    width = max(2 * across + _GAP, len(stack) * _CELL * 0.8) + 2 * MARGIN
    width = max(width, title_width(title))
    below = above + heading + down + 0.12
    figure = new_figure(width, below + kernel_space + 0.16 * len(lines) + MARGIN)
    left = (width - 2 * across - _GAP) / 2
    for number, (name, picture) in enumerate(zip(("HR", "LR"), pictures, strict=True)):
        place = left + number * (across + _GAP)
        axes = axes_at(figure, place, above + heading, across, down)
        axes.imshow(picture, interpolation="nearest")
        hide_ticks(axes)
        text = f"{name}, {picture.shape[0]} x {picture.shape[1]}"
        write_text(figure, place + across / 2, above + heading / 2, text)
        if number == 0:
            for index, (row, column) in enumerate(points[: len(stack)], start=1):
                y, x = (stride * at + (stride - 1) / 2 for at in (row, column))
                axes.plot(x, y, "o", markersize=9, color=ACCENT, markeredgecolor="white")
                style = {"fontsize": SMALL_SIZE - 1, "color": "white", "fontweight": "bold"}
                axes.text(x, y, str(index), ha="center", va="center_baseline", **style)
            axes.set_xlim(-0.5, wide - 0.5)
            axes.set_ylim(high - 0.5, -0.5)
    bound = max((float(kernel.abs().max()) for kernel in stack), default=0.0)
    side = _CELL * 0.7
    start = (width - len(stack) * _CELL * 0.8 + _CELL * 0.1) / 2
    for index, kernel in enumerate(stack):
        axes = axes_at(figure, start + index * _CELL * 0.8, below + 0.2, side, side)
        draw_kernel(axes, kernel.double().numpy(), span=bound or None, stride=stride)
        text = f"sum {float(kernel.sum()):.3f}"
        axes.set_xlabel(text, fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)
        if points:
            axes.set_title(str(index + 1), fontsize=SMALL_SIZE, color=ACCENT, pad=2)
    for index, line in enumerate(lines):
        top = below + kernel_space + 0.16 * index + 0.08
        write_text(figure, width / 2, top, line, fontsize=SMALL_SIZE - 1, color=MUTED)
    write_title(figure, title)
    return figure
