"""Figures of kernels: a learned basis, and the kernels of models at given points."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from realdeg.visualization.style import (
    ACCENT,
    INK,
    LABEL_SIZE,
    MARGIN,
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    label_size,
    new_figure,
    pixels,
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

# Sides of a kernel's picture in inches.
_CELL = 1.3
_SMALL_CELL = 0.95
# A grid over an image: its longer side in inches, how bright the image stays, and the share of a
# region's side that its kernel fills.
_GRID_WIDTH = 6.0
_DIMMED = 0.45
_FILLED = 0.72
_FAINT = 0.01


def kernel_width(kernel: np.ndarray) -> float:
    """Return the width of a kernel (k, k): the equivalent standard deviation in pixels.

    From the moments of the squared kernel, because the faint noise of learned kernels would
    otherwise dominate far out. A Gaussian gives its sigma (from about 0.8 px on), a delta and an
    empty kernel give 0.
    """
    energy = np.square(kernel.astype(np.float64))
    total = energy.sum()
    if total == 0:
        return 0.0
    variance = 0.0
    for axis in (0, 1):
        profile = energy.sum(axis=1 - axis) / total
        place = np.arange(len(profile))
        variance += (profile * (place - (profile * place).sum()) ** 2).sum()
    # The sum over two axes is twice their mean, and squaring halves a Gaussian's variance.
    return math.sqrt(variance)


def kernel_stack(kernels: Tensor) -> np.ndarray:
    """Return kernels (N, k, k) or (N, 1, k, k) as a float64 array (N, k, k)."""
    array = kernels.detach().cpu().double().numpy()
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3:
        raise ValueError(f"kernels have shape (N, k, k), got {tuple(kernels.shape)}")
    return array


def basis_kernels(
    bases: Tensor,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    columns: int | None = None,
    stride: int = 1,
) -> Path:
    """Draw learned basis kernels; full colour is each kernel's largest tap.

    Args:
        bases: Shape (N, k, k) or (N, 1, k, k).
        path: The file to write.
        title: A heading.
        columns: Kernels per row; by default up to 8, in rows of equal length if possible.
        stride: HR pixels per LR pixel on the grid, which places the centre.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If the shape is another.

    Source:
        Fig. 2 of Xiao, Yong, Zhang, ACCV 2020.
    """
    stack = kernel_stack(bases)
    across = columns or _columns(len(stack))
    rows = math.ceil(len(stack) / across)
    step = (_CELL + 0.12, _CELL + 0.66)
    above = title_space(title)
    taken = step[0] * across + BAR_WIDTH
    width = max(taken + 2 * MARGIN, KEY_WIDTH + 2 * MARGIN, title_width(title))
    left = (width - taken) / 2
    figure = new_figure(width, above + step[1] * rows + KEY_HEIGHT)
    for index, kernel in enumerate(stack):
        row, column = divmod(index, across)
        place = (left + step[0] * column, above + step[1] * row + 0.2)
        axes = axes_at(figure, *place, _CELL, _CELL)
        draw_kernel(axes, kernel, stride=stride)
        axes.set_title(f"$\\phi_{{{index + 1}}}$", fontsize=LABEL_SIZE, color=INK, pad=3)
        caption = f"sum {kernel.sum():.2f}\nwidth {kernel_width(kernel):.2f} px"
        axes.set_xlabel(caption, fontsize=SMALL_SIZE, color=INK, labelpad=3)
    draw_tap_bar(figure, left + step[0] * across, above + 0.2, _CELL)
    write_key(figure, width / 2, above + step[1] * rows)
    write_title(figure, title)
    return save_figure(figure, path)


def _columns(count: int) -> int:
    if count <= 8:
        return count if count <= 5 else math.ceil(count / 2)
    return 8


def kernel_points(
    image: Tensor | np.ndarray,
    points: Sequence[tuple[int, int]],
    kernels: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    *,
    scale: int = 1,
    title: str | None = None,
) -> Path:
    """Draw an image with numbered points and the kernels of several models at each point.

    Full colour is the largest tap at a point, of all models, so that they can be compared.

    Args:
        image: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        points: (row, column) in LR pixels.
        kernels: By model, in the order of the columns, kernels of shape (P, k, k); a simulated
            truth is a column as well.
        path: The file to write.
        scale: HR pixels per LR pixel, if ``image`` is HR on a larger grid.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If a model lacks one kernel per point, or there is nothing to draw.

    Source:
        Fig. 4 of Xiao, Yong, Zhang, ACCV 2020.
    """
    stacks = {name: kernel_stack(stack) for name, stack in kernels.items()}
    for name, stack in stacks.items():
        if len(stack) != len(points):
            raise ValueError(f"'{name}' has {len(stack)} kernels for {len(points)} points")
    if not stacks or not points:
        raise ValueError("there is no point or no model to draw")
    picture, every = pixels(image), range(len(points))
    step = (_SMALL_CELL + 0.1, _SMALL_CELL + 0.24)
    above, heading = title_space(title), 0.26
    height = max(step[1] * len(points), 2.2)
    aspect = picture.shape[0] / picture.shape[1]
    shown = min(height / aspect, 6.0)
    start = MARGIN + shown + 0.32
    taken = start + step[0] * len(stacks) + BAR_WIDTH
    width = max(taken + MARGIN, KEY_WIDTH + 2 * MARGIN, title_width(title))
    figure = new_figure(width, above + heading + height + 2 * MARGIN + KEY_HEIGHT)
    top = above + heading + (height - shown * aspect) / 2 - 0.1
    _draw_points(axes_at(figure, MARGIN, top, shown, shown * aspect), picture, points, scale)
    spans = [max(float(np.abs(stack[at]).max()) for stack in stacks.values()) for at in every]
    for column, (name, stack) in enumerate(stacks.items()):
        left = start + step[0] * column
        middle = left + _SMALL_CELL / 2
        write_text(figure, middle, above + 0.13, name, fontsize=label_size(name, _SMALL_CELL))
        for row, kernel in enumerate(stack):
            place = above + heading + step[1] * row
            axes = axes_at(figure, left, place, _SMALL_CELL, _SMALL_CELL)
            draw_kernel(axes, kernel, span=spans[row] or 1.0, stride=scale)
            caption = f"{kernel.sum():.2f} · {kernel_width(kernel):.2f} px"
            axes.set_xlabel(caption, fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)
    for row in every:
        place = above + heading + step[1] * row + _SMALL_CELL / 2
        write_text(figure, start - 0.14, place, str(row + 1), color=ACCENT, fontweight="bold")
        bar = (start + step[0] * len(stacks), above + heading + step[1] * row)
        draw_tap_bar(figure, *bar, _SMALL_CELL, spans[row] or 1.0)
    write_key(figure, width / 2, above + heading + height + MARGIN)
    write_title(figure, title)
    return save_figure(figure, path)


def _draw_points(
    axes: Any, picture: np.ndarray, points: Sequence[tuple[int, int]], scale: int
) -> None:
    axes.imshow(picture, interpolation="antialiased")
    hide_ticks(axes)
    height, width = picture.shape[:2]
    for number, (row, column) in enumerate(points, start=1):
        # LR pixel i is centred at HR coordinate scale * i + (scale - 1) / 2.
        y, x = (scale * place + (scale - 1) / 2 for place in (row, column))
        axes.plot(x, y, "o", markersize=6, color=ACCENT, markeredgecolor="white", clip_on=False)
        axes.annotate(
            str(number),
            (x, y),
            xytext=(-7 if x > 0.9 * width else 7, -8 if y < 0.1 * height else 5),
            textcoords="offset points",
            horizontalalignment="right" if x > 0.9 * width else "left",
            fontsize=LABEL_SIZE,
            fontweight="bold",
            color="white",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": ACCENT, "linewidth": 0},
        )
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_xlabel("kernels: sum · width", fontsize=SMALL_SIZE, color=INK, labelpad=3)


def kernel_grid(
    image: Tensor | np.ndarray,
    kernels: Tensor,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    stride: int = 1,
) -> Path:
    """Draw the kernels of equal regions of an image, each over its region of the dimmed image.

    All have one scale of colours: full colour is the largest tap of all.

    Args:
        image: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        kernels: Shape (R, C, k, k), of R x C regions.
        path: The file to write.
        title: A heading.
        stride: HR pixels per LR pixel on the grid, which places the centre.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If the shape is another.
    """
    if kernels.ndim != 4 or 0 in kernels.shape:
        raise ValueError(f"a grid of kernels has shape (R, C, k, k), got {tuple(kernels.shape)}")
    rows, columns = kernels.shape[:2]
    stack = kernel_stack(kernels.flatten(0, 1))
    shown = _without_margin(stack)
    widths = [kernel_width(kernel) for kernel in stack]
    picture = (pixels(image) * _DIMMED).round().astype(np.uint8)
    high, wide = picture.shape[:2]
    across = _GRID_WIDTH * min(1.0, wide / high)
    down = across * high / wide
    above, below = title_space(title), 0.3 + KEY_HEIGHT
    width = max(across + BAR_WIDTH + 0.06 + 2 * MARGIN, title_width(title))
    left = (width - across - BAR_WIDTH - 0.06) / 2
    figure = new_figure(width, above + down + below)
    axes = axes_at(figure, left, above, across, down)
    axes.imshow(picture, interpolation="antialiased")
    hide_ticks(axes)
    cell = (high / rows, wide / columns)
    half = 0.5 * _FILLED * min(cell)
    span = float(np.abs(shown).max()) or 1.0
    for number, kernel in enumerate(shown):
        row, column = divmod(number, columns)
        y, x = (row + 0.5) * cell[0] - 0.5, (column + 0.5) * cell[1] - 0.5
        place = (x - half, y - half, 2 * half)
        # Even a margin that was cut off leaves the centre where it was: both sides lose as much.
        draw_kernel(axes, kernel, span=span, stride=stride, place=place, marks=0.7)
    axes.set_xlim(-0.5, wide - 0.5)
    axes.set_ylim(high - 0.5, -0.5)
    text = f"{shown.shape[-1]} x {shown.shape[-1]} taps, width {min(widths):.2f} to"
    text += f" {max(widths):.2f} px"
    write_text(figure, width / 2, above + down + 0.15, text, fontsize=SMALL_SIZE)
    draw_tap_bar(figure, left + across + 0.06, above, min(down, 2.0), span)
    write_key(figure, width / 2, above + down + 0.26)
    write_title(figure, title)
    return save_figure(figure, path)


def _without_margin(stack: np.ndarray) -> np.ndarray:
    """Cut kernels (N, k, k) to the window around the middle outside of which all are faint."""
    largest = np.abs(stack).max(axis=0)
    strong = np.argwhere(largest > _FAINT * largest.max())
    if not len(strong):
        return stack
    side = stack.shape[-1]
    margin = int(min(strong.min(), (side - 1 - strong).min()))
    return stack[:, margin : side - margin, margin : side - margin]
