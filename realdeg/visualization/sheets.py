"""Comparison sheets: one row per image, one column per method, with enlarged crops."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from realdeg.errors import ConfigError
from realdeg.visualization.style import (
    INK,
    MARGIN,
    MUTED,
    SMALL_SIZE,
    axes_at,
    frame_crop,
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

# Width of a column in inches.
_CELL = 1.6
# Grey levels between neighbours: a larger step is not more readable.
_MEDIUM_STEP = 32.0


@dataclass
class SheetRow:
    """One image of a comparison sheet.

    Args:
        name: The row's label.
        images: By method, tensor (C, H, W) in [0, 1] or ``uint8`` array; LR and HR are columns as
            well. Sizes may differ: a crop covers the same part of all.
        values: PSNR in dB, or another score, by method; text, of several lines too, is written as
            it is.
        crop: (top, left) of the crop in pixels of the largest image; by default
            :func:`telling_crop`.
    """

    name: str
    images: Mapping[str, Tensor | np.ndarray]
    values: Mapping[str, float | str] = field(default_factory=dict)
    crop: tuple[int, int] | None = None


def telling_crop(images: Sequence[np.ndarray], size: int, step: int = 1) -> tuple[int, int]:
    """Find the square where methods differ most and the scene has structure that can be read.

    A place is worth the geometric mean of two things: the standard deviation over the methods, and
    the steps of brightness between neighbouring pixels, of which large ones count no more than
    medium ones. So neither noise in a flat region nor an edge that all draw alike is chosen.

    Args:
        images: ``uint8`` of shape (h, w, 3), of one or several resolutions; the last one is what
            the others should be like. The methods that are compared are the others of the largest
            resolution that two have; where there are none, structure alone decides.
        size: Side of the square in pixels of the largest image.
        step: Place the square at multiples of this.

    Returns:
        (top, left) in pixels of the largest image.
    """
    largest = max(reversed(images), key=lambda image: image.shape[0] * image.shape[1])
    steps = _steps(largest.astype(np.float64).mean(axis=2))
    worth = np.minimum(steps, _MEDIUM_STEP)
    by_size: dict[tuple[int, ...], list[np.ndarray]] = {}
    for image in images[:-1]:
        by_size.setdefault(image.shape, []).append(image)
    groups = [group for group in by_size.values() if len(group) > 1]
    differ = None
    if groups:
        methods = max(groups, key=lambda group: group[0].size)
        spread = np.std(np.stack(methods).astype(np.float64), axis=0).mean(axis=2)
        if spread.any():
            rows, columns = (
                np.arange(full) * own // full
                for full, own in zip(largest.shape[:2], spread.shape, strict=True)
            )
            differ = spread[rows[:, None], columns[None]]
    sums = _box_sums(worth, size)
    if differ is not None:
        sums = np.sqrt(np.maximum(sums, 0) * np.maximum(_box_sums(differ, size), 0))
    return _place_of_largest(sums, step)


def _steps(grey: np.ndarray) -> np.ndarray:
    steps = np.zeros_like(grey)
    steps[:, 1:] += np.abs(np.diff(grey, axis=1))
    steps[1:] += np.abs(np.diff(grey, axis=0))
    return steps


def _box_sums(values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums of all squares of a side, by their upper left corners."""
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes: np.ndarray = (
        sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    )
    return boxes


def _place_of_largest(boxes: np.ndarray, step: int = 1) -> tuple[int, int]:
    kept = boxes[::step, ::step]
    top, left = np.unravel_index(int(kept.argmax()), kept.shape)
    return int(top) * step, int(left) * step


def busiest_crop(image: np.ndarray, size: int) -> tuple[int, int]:
    """Find the square with the most gradient energy.

    Args:
        image: ``uint8`` of shape (H, W, 3).
        size: Side of the square in pixels, at most that of the image.

    Returns:
        (top, left).
    """
    grey = image.astype(np.float64).mean(axis=2)
    energy = np.zeros_like(grey)
    energy[:, 1:] += np.diff(grey, axis=1) ** 2
    energy[1:] += np.diff(grey, axis=0) ** 2
    return _place_of_largest(_box_sums(energy, size))


def check_crop(crop: int | None) -> None:
    """Raise ConfigError if the side of a crop is below one pixel; None is accepted."""
    if crop is not None and crop < 1:
        raise ConfigError(f"crop is 1 pixel or more, got {crop}.")


def enlarge_crop(
    image: np.ndarray, crop: tuple[int, int], size: int, full: tuple[int, int], out: int
) -> np.ndarray:
    """Crop and enlarge by nearest neighbour, so that pixels stay visible.

    Args:
        image: ``uint8`` of shape (h, w, 3), of any resolution.
        crop: (top, left) in pixels of the full resolution.
        size: Side of the crop in pixels of the full resolution.
        full: (height, width) of the full resolution.
        out: Side of the result in pixels.

    Returns:
        ``uint8`` of shape (out, out, 3).
    """
    places = []
    for axis in (0, 1):
        ratio = image.shape[axis] / full[axis]
        centres = (crop[axis] + (np.arange(out) + 0.5) * size / out) * ratio
        places.append(np.clip(np.floor(centres).astype(int), 0, image.shape[axis] - 1))
    return image[places[0][:, None], places[1][None, :]]


def comparison_sheet(
    rows: Sequence[SheetRow],
    path: str | os.PathLike[str],
    *,
    crop_size: int | None = None,
    overview: bool = True,
    caption: str = "PSNR in dB",
    title: str | None = None,
) -> Path:
    """Draw a sheet with images as rows and methods as columns.

    Args:
        rows: The images; the columns are all methods in order of first occurrence.
        path: The file to write.
        crop_size: Side of the crops in pixels of the largest image of a row; 0 shows whole images;
            by default a tenth of the shorter side, from 48 to 128.
        overview: Whether each row starts with the whole image and a frame around the crop.
        caption: Meaning of the values, with the protocol.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If there is nothing to draw.
    """
    methods = list(dict.fromkeys(method for row in rows for method in row.images))
    if not methods:
        raise ValueError("a comparison sheet needs at least one row with an image")
    drawn = [_prepare(row, crop_size) for row in rows]
    whole = crop_size == 0
    lead = overview and not whole
    aspects = [full[0] / full[1] for _, _, full, _ in drawn]
    # Rows have equal height; the overview column fits the widest image, up to 3 inches.
    first = min(max(_CELL / aspect for aspect in aspects), 3.0) if lead else 0.0
    heights = [_CELL * aspect if whole else _CELL for aspect in aspects]
    texts = [text for row in rows for text in map(_value, row.values.values())]
    below = 0.24 + 0.13 * max(text.count("\n") for text in texts) if texts else 0.08
    start = 0.32 + (first + 0.1 if lead else 0.0)
    above, heading = title_space(title), 0.26
    width = max(start + (_CELL + 0.08) * len(methods) - 0.08 + MARGIN, title_width(title))
    foot = 0.22 if any(row.values for row in rows) else 0.02
    figure = new_figure(width, above + heading + sum(heights) + below * len(rows) + foot)
    for column, method in enumerate(methods):
        left = start + (_CELL + 0.08) * column + _CELL / 2
        write_text(figure, left, above + heading / 2, method, fontsize=label_size(method, _CELL))
    top = above + heading
    for row, height, (images, crop, full, size) in zip(rows, heights, drawn, strict=True):
        write_text(figure, 0.18, top + height / 2, _shorten(row.name), rotation=90)
        if lead:
            tall = min(height, first * full[0] / full[1])
            across = tall * full[1] / full[0]
            place = (0.32 + (first - across) / 2, top + (height - tall) / 2)
            _draw_overview(axes_at(figure, *place, across, tall), images, crop, size)
        for column, method in enumerate(methods):
            if method not in images:
                continue
            axes = axes_at(figure, start + (_CELL + 0.08) * column, top, _CELL, height)
            hide_ticks(axes)
            picture = images[method]
            if size:
                picture = enlarge_crop(picture, crop, size, full, 8 * size)
            axes.imshow(picture, interpolation="antialiased", aspect="auto")
            if method in row.values:
                text = _value(row.values[method])
                axes.set_xlabel(text, fontsize=SMALL_SIZE, color=INK, labelpad=2)
        top += height + below
    if foot > 0.1:
        write_text(
            figure, width / 2, top + foot / 2 - 0.03, caption, fontsize=SMALL_SIZE, color=MUTED
        )
    write_title(figure, title)
    return save_figure(figure, path, dpi=200)


def _prepare(
    row: SheetRow, crop_size: int | None
) -> tuple[dict[str, np.ndarray], tuple[int, int], tuple[int, int], int]:
    images = {method: pixels(image) for method, image in row.images.items()}
    if not images:
        raise ValueError(f"row '{row.name}' of the comparison sheet has no image")
    largest = max(images.values(), key=lambda image: image.shape[0] * image.shape[1])
    full = largest.shape[:2]
    if crop_size is None:
        crop_size = min(max(min(full) // 10, 48), 128)
    size = min(crop_size, *full)
    if not size:
        return images, (0, 0), full, 0
    crop = row.crop or telling_crop(list(images.values()), size)
    top, left = (min(max(place, 0), side - size) for place, side in zip(crop, full, strict=True))
    return images, (top, left), full, size


def _draw_overview(
    axes: Any, images: Mapping[str, np.ndarray], crop: tuple[int, int], size: int
) -> None:
    picture = max(reversed(list(images.values())), key=lambda image: image.shape[0])
    axes.imshow(picture, interpolation="antialiased")
    frame_crop(axes, crop, size, 1.4)
    hide_ticks(axes, frame=False)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


def _shorten(name: str, length: int = 24) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
