"""Figures of the weights with which a model mixes its basis kernels."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization.kernels import kernel_stack
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
from realdeg.visualization.taps import (
    BAR_WIDTH,
    KEY_HEIGHT,
    draw_kernel,
    draw_tap_bar,
    write_key,
)

# Distinct for colour-blind readers (Okabe and Ito); after these the same, lighter, then darker.
_REGIONS = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (90, 90, 90),
)
_SHADES = ((1.0, 0), (0.5, 128), (0.55, 0))
# The smallest share of an image whose region gets a number.
_NUMBERED = 0.01
# Inches: a map, its kernel, the space between.
_CELL, _KERNEL, _GAP = 2.0, 0.9, 0.1


def region_colour(index: int) -> tuple[int, int, int]:
    """Return the colour of the region that a kernel rules, by the kernel's index from 0.

    24 colours, distinct for colour-blind readers within the first 8; they repeat after that, so a
    number stands beside them.
    """
    colour = _REGIONS[index % len(_REGIONS)]
    factor, lift = _SHADES[index // len(_REGIONS) % len(_SHADES)]
    red, green, blue = (round(factor * one + lift) for one in colour)
    return red, green, blue


def ruling_picture(weights: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return which kernel has the largest weight where, in the colours of :func:`region_colour`.

    Args:
        weights: Shape (N, h, w).

    Returns:
        ``uint8`` of shape (h, w, 3).
    """
    colours = np.array([region_colour(index) for index in range(len(weights))], np.uint8)
    picture: NDArray[np.uint8] = colours[weights.argmax(axis=0)]
    return picture


def weight_maps(
    hr: Tensor | np.ndarray,
    weights: Tensor,
    path: str | os.PathLike[str],
    *,
    shared_scale: bool = True,
    title: str | None = None,
    kernels: Tensor | None = None,
    stride: int = 1,
) -> Path:
    """Draw an HR image, which kernel rules where, and the weight map of each kernel beside it.

    Args:
        hr: Tensor (C, H, W) in [0, 1] or ``uint8`` array.
        weights: Shape (N, h, w) or (1, N, h, w).
        path: The file to write.
        shared_scale: Use one scale for all maps, so that they can be compared. Maps without
            negative weights are grey, others have the colours of kernels.
        title: A heading.
        kernels: The kernels that are weighted, shape (N, k, k) or (N, 1, k, k).
        stride: HR pixels per LR pixel on the grid, which places the centre of the kernels.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If a shape is another.

    Source:
        Fig. 3 of Xiao, Yong, Zhang, ACCV 2020.
    """
    maps = weights.detach().cpu().float().numpy()
    if maps.ndim == 4 and maps.shape[0] == 1:
        maps = maps[0]
    if maps.ndim != 3 or not len(maps):
        raise ValueError(f"weight maps have shape (N, h, w), got {tuple(weights.shape)}")
    stack = None if kernels is None else kernel_stack(kernels)
    if stack is not None and len(stack) != len(maps):
        raise ValueError(f"{len(stack)} kernels have {len(maps)} weight maps")
    picture = pixels(hr)
    beside = 0.0 if stack is None else _KERNEL + 0.04
    cells = len(maps) + 2
    columns = math.ceil(math.sqrt(cells * _CELL / (_CELL + beside)))
    rows = math.ceil(cells / columns)
    tall = _CELL * picture.shape[0] / picture.shape[1]
    step = (_CELL + beside + _GAP, max(tall, beside) + 0.3)
    above, aside = title_space(title), 0.62 if shared_scale else 0.0
    bars = aside + (0.0 if stack is None else BAR_WIDTH + 0.12)
    width = max(step[0] * columns - _GAP + 2 * MARGIN + bars, title_width(title))
    key = 0.0 if stack is None else KEY_HEIGHT
    figure = new_figure(width, above + step[1] * rows + MARGIN + key)
    ruled = np.bincount(maps.argmax(axis=0).ravel(), minlength=len(maps)) / maps[0].size
    for index in range(cells):
        row, column = divmod(index, columns)
        left, top = MARGIN + step[0] * column + beside, above + step[1] * row + 0.22
        axes = axes_at(figure, left, top, _CELL, tall)
        hide_ticks(axes)
        if index == 0:
            axes.imshow(picture, interpolation="antialiased", aspect="auto")
            axes.set_title("HR", fontsize=LABEL_SIZE, color=INK, pad=3)
        elif index == 1:
            axes.imshow(ruling_picture(maps), interpolation="nearest", aspect="auto")
            axes.set_title("the largest weight", fontsize=LABEL_SIZE, color=INK, pad=3)
            _number_regions(axes, maps, ruled)
        else:
            at = index - 2
            _draw_map(axes, maps[at], maps if shared_scale else maps[at])
            name = f"$C_{{{at + 1}}}$  mean {maps[at].mean():.2f}, largest on {ruled[at]:.0%}"
            # Beside the swatch, which is 0.1 inches wide.
            style = {"fontsize": LABEL_SIZE - 1, "color": INK, "pad": 3}
            axes.set_title(name, loc="left", x=0.15 / _CELL, **style)
            swatch = axes_at(figure, left, top - 0.155, 0.1, 0.1)
            swatch.set_facecolor([level / 255 for level in region_colour(at)])
            hide_ticks(swatch)
            if stack is not None:
                axes = axes_at(figure, left - beside, top, _KERNEL, _KERNEL)
                draw_kernel(axes, stack[at], stride=stride)
                text = f"$\\phi_{{{at + 1}}}$"
                axes.set_title(text, fontsize=LABEL_SIZE, color=INK, pad=3)
    left, height = MARGIN + step[0] * columns, min(step[1] * rows - 0.3, 3.0)
    if shared_scale:
        _draw_map_bar(axes_at(figure, left, above + 0.22, 0.1, height), maps)
    if stack is not None:
        draw_tap_bar(figure, left + aside + 0.06, above + 0.22, height)
        write_key(figure, width / 2, above + step[1] * rows)
    write_title(figure, title)
    return save_figure(figure, path)


def _limits(maps: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the values of both ends of a scale, 0 is one of them or the middle."""
    most = max(float(np.abs(maps).max()), 1e-6)
    return (-most if float(maps.min()) < 0 else 0.0), most


def _draw_map(
    axes: Any, weight: NDArray[np.floating[Any]], scale: NDArray[np.floating[Any]]
) -> None:
    low, high = _limits(scale)
    if low < 0:
        axes.imshow(tap_colours(weight, high), aspect="auto")
    else:
        axes.imshow(weight, cmap="gray", vmin=low, vmax=high, aspect="auto")


def _draw_map_bar(axes: Any, maps: NDArray[np.floating[Any]]) -> None:
    low, high = _limits(maps)
    values = np.linspace(high, low, 256)[:, None]
    _draw_map(axes, values, maps)
    axes.images[0].set_extent((0, 1, low, high))
    hide_ticks(axes)
    axes.yaxis.tick_right()
    axes.set_yticks(np.linspace(low, high, 5), [f"{at:.2g}" for at in np.linspace(low, high, 5)])
    axes.tick_params(labelsize=SMALL_SIZE - 1, colors=INK, width=0.5, length=2, pad=2)
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("weight", fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)


def _number_regions(
    axes: Any, maps: NDArray[np.floating[Any]], ruled: NDArray[np.floating[Any]]
) -> None:
    """Write each kernel's number where its region is widest."""
    import cv2

    strongest = maps.argmax(axis=0)
    for index, share in enumerate(ruled):
        if share < _NUMBERED:
            continue
        # A rim of zeros: a region ends at the border of the image.
        inside = np.pad((strongest == index).astype(np.uint8), 1)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        colour = [level / 255 for level in region_colour(index)]
        light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 0.5
        axes.text(
            column,
            row,
            str(index + 1),
            fontsize=LABEL_SIZE,
            fontweight="bold",
            color="black" if light else "white",
            horizontalalignment="center",
            verticalalignment="center",
            bbox={"boxstyle": "round,pad=0.12", "facecolor": colour, "linewidth": 0.4},
        )
