"""The picture of the adversarial experiment: crops of every network, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realdeg import SuperResolver
from realdeg.degradations.primitives import imresize
from realdeg.utils.image import read_image, to_array, to_tensor
from realdeg.visualization.sheets import busiest_crop, enlarge_crop
from realdeg.visualization.style import (
    MARGIN,
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    save_figure,
    write_text,
)

CELL, GAP, LINES = 1.45, 0.06, 0.36


@dataclass(frozen=True)
class Tile:
    """One crop: its heading, its image and the line of its numbers."""

    name: str
    image: np.ndarray
    numbers: str


def tiles_of(
    hr: Path, lr: Path, networks: Mapping[str, Path], numbers: Mapping[str, str]
) -> list[Tile]:
    """Super-resolve one LR image by every network.

    Args:
        hr: The HR file.
        lr: The LR file, four times smaller.
        networks: Weights by name.
        numbers: The line below each picture, by name.
    """
    low, high = read_image(lr), read_image(hr)
    large = to_array(imresize(to_tensor(low)[None], size=high.shape[:2])[0].clamp(0, 1))
    pictures = {"HR": high, "bicubic": large}
    for name, weights in networks.items():
        pictures[name] = SuperResolver(weights, device="cpu").upscale(low)
    return [Tile(name, image, numbers.get(name, "")) for name, image in pictures.items()]


def draw(images: Sequence[Sequence[Tile]], path: Path, size: int = 96, columns: int = 5) -> Path:
    """Draw the tiles of several images below each other.

    Args:
        images: The tiles of each image, HR first.
        path: The file to write.
        size: Side of the crops in HR pixels.
        columns: Tiles beside each other.
    """
    lines = [-(-len(tiles) // columns) for tiles in images]
    height = MARGIN + sum(lines) * (CELL + LINES) + MARGIN * len(lines)
    figure = new_figure(2 * MARGIN + columns * (CELL + GAP) - GAP, height)
    top = MARGIN
    for tiles, count in zip(images, lines, strict=True):
        full = tiles[0].image.shape[:2]
        crop = busiest_crop(tiles[0].image, size)
        for index, tile in enumerate(tiles):
            row, column = divmod(index, columns)
            left = MARGIN + column * (CELL + GAP)
            place = top + row * (CELL + LINES)
            axes = axes_at(figure, left, place, CELL, CELL)
            hide_ticks(axes)
            axes.imshow(
                enlarge_crop(tile.image, crop, size, full, 3 * size), interpolation="nearest"
            )
            middle = left + CELL / 2
            write_text(figure, middle, place + CELL + 0.1, tile.name, fontsize=SMALL_SIZE)
            write_text(figure, middle, place + CELL + 0.23, tile.numbers, fontsize=SMALL_SIZE - 1)
        top += count * (CELL + LINES) + MARGIN
    return save_figure(figure, path, dpi=150)
