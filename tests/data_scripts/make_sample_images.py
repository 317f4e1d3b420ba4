"""Makes the high-resolution pictures of the sample set; run once, the pictures are committed.

Usage: `python tests/data_scripts/make_sample_images.py [folder]`. Photographs come from the copies
that scikit-image carries in its wheel (nothing is downloaded); drawn scenes come from fixed seeds.
Every side is divisible by 48, so by 2, 3, 4, 12 and 16.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from skimage import data

SUPERSAMPLING = 4
FOLDER = Path(__file__).parents[2] / "realdeg" / "datasets" / "sample_images"


def reduce_to(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Area-averages a float image (H, W, 3) in [0, 1] down to (height, width)."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def photograph(
    image: np.ndarray, crop: tuple[int, int, int, int], size: tuple[int, int]
) -> np.ndarray:
    """Cuts (top, left, height, width) out of a picture and reduces it to (height, width)."""
    top, left, height, width = crop
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    cut = image[top : top + height, left : left + width].astype(np.float32) / 255
    return reduce_to(cut, *size)


def tint(
    image: np.ndarray, dark: tuple[float, float, float], light: tuple[float, float, float]
) -> np.ndarray:
    """Colours a grey picture: black becomes `dark`, white becomes `light`."""
    grey = image[..., :1]
    return (1 - grey) * np.float32(dark) + grey * np.float32(light)


def dead_leaves(seed: int, height: int, width: int) -> np.ndarray:
    """Occluding ellipses of power-law sizes, some striped: edges of all angles and contrasts."""
    rng = np.random.default_rng(seed)
    full_height, full_width = height * SUPERSAMPLING, width * SUPERSAMPLING
    canvas = np.full((full_height, full_width, 3), 0.5, np.float32)
    rows, columns = np.mgrid[:full_height, :full_width].astype(np.float32)
    for _ in range(700):
        radius = min(8 / rng.uniform(0.03, 1), 120) * SUPERSAMPLING / 2
        centre = (int(rng.uniform(0, full_width)), int(rng.uniform(0, full_height)))
        axes = (max(int(radius), 2), max(int(radius * rng.uniform(0.3, 1)), 2))
        mask = np.zeros((full_height, full_width), np.uint8)
        cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
        inside = mask.astype(bool)
        level = rng.beta(0.8, 0.8)
        colour = np.clip(level + rng.normal(0, 0.12, 3), 0, 1).astype(np.float32)
        paint = np.broadcast_to(colour, (int(inside.sum()), 3)).copy()
        if rng.random() < 0.35:
            angle, period = rng.uniform(0, np.pi), rng.uniform(3, 12) * SUPERSAMPLING
            phase = np.cos(angle) * columns[inside] + np.sin(angle) * rows[inside]
            wave = np.sign(np.sin(2 * np.pi * phase / period)) * rng.uniform(0.08, 0.3)
            paint += wave[:, None].astype(np.float32)
        canvas[inside] = np.clip(paint, 0, 1)
    return reduce_to(canvas, height, width)


def strokes(seed: int, height: int, width: int) -> np.ndarray:
    """Rows of invented letters made of lines and arcs, on papers of several colours."""
    rng = np.random.default_rng(seed)
    full_height, full_width = height * SUPERSAMPLING, width * SUPERSAMPLING
    canvas = np.empty((full_height, full_width, 3), np.float32)
    top = 0
    while top < full_height:
        size = int(rng.choice([9, 12, 16, 22, 32])) * SUPERSAMPLING
        row = size * 3 // 2
        dark_paper = rng.random() < 0.4
        paper = rng.uniform(0.05, 0.35, 3) if dark_paper else rng.uniform(0.65, 0.98, 3)
        ink = rng.uniform(0.65, 1, 3) if dark_paper else rng.uniform(0, 0.35, 3)
        canvas[top : top + row] = paper
        left = size // 3
        while left < full_width:
            thickness = max(int(size * rng.uniform(0.06, 0.16)), SUPERSAMPLING)
            advance = int(size * rng.uniform(0.5, 0.9))
            if rng.random() < 0.85:
                for _ in range(int(rng.integers(2, 5))):
                    xs = left + rng.integers(0, 3, 2) * advance // 3
                    ys = top + size // 4 + rng.integers(0, 3, 2) * size // 2
                    if rng.random() < 0.6:
                        ends = [(int(x), int(y)) for x, y in zip(xs, ys, strict=True)]
                        cv2.line(canvas, ends[0], ends[1], ink.tolist(), thickness, cv2.LINE_AA)
                    else:
                        centre = (int(xs[0]), int((ys[0] + ys[1]) // 2))
                        axes = (max(advance // 3, 1), max(int(size * 0.3), 1))
                        start = float(rng.integers(0, 4) * 90)
                        cv2.ellipse(
                            canvas, centre, axes, 0, start, start + 200, ink.tolist(), thickness
                        )
            left += advance + size // 4
        top += row
    return reduce_to(np.clip(canvas, 0, 1), height, width)


def slanted_edges(seed: int, height: int, width: int) -> np.ndarray:
    """A chart: tiles with a slanted edge, a star or bars, each with its own two colours."""
    rng = np.random.default_rng(seed)
    tile = 48 * SUPERSAMPLING
    canvas = np.empty((height * SUPERSAMPLING, width * SUPERSAMPLING, 3), np.float32)
    rows, columns = np.mgrid[:tile, :tile].astype(np.float32) - (tile - 1) / 2
    for top in range(0, canvas.shape[0], tile):
        for left in range(0, canvas.shape[1], tile):
            kind = int(rng.integers(0, 3))
            angle = rng.uniform(0, np.pi)
            across = np.cos(angle) * columns + np.sin(angle) * rows
            if kind == 0:
                mask = across > rng.uniform(-0.2, 0.2) * tile
            elif kind == 1:
                spokes = int(rng.integers(5, 14))
                mask = np.sin(spokes * np.arctan2(rows, columns) + angle) > 0
            else:
                period = rng.uniform(3, 12) * SUPERSAMPLING
                along = -np.sin(angle) * columns + np.cos(angle) * rows
                mask = (np.sin(2 * np.pi * across / period) > 0) & (abs(along) < 0.35 * tile)
            level = rng.uniform(0, 1)
            contrast = rng.uniform(0.15, 0.8) * (1 if level < 0.5 else -1)
            first = np.clip(level + rng.normal(0, 0.06, 3), 0, 1)
            second = np.clip(level + contrast + rng.normal(0, 0.06, 3), 0, 1)
            colours = np.where(mask[..., None], first, second)
            canvas[top : top + tile, left : left + tile] = colours
    return reduce_to(canvas, height, width)


def grain(seed: int, height: int, width: int) -> np.ndarray:
    """Random dots at every mean level and contrast: all frequencies, so every kernel shows."""
    rng = np.random.default_rng(seed)
    smooth = []
    for _ in range(2):
        coarse = rng.random((height // 48 + 2, width // 48 + 2)).astype(np.float32)
        field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        ranks = field.ravel().argsort().argsort().reshape(field.shape)
        smooth.append(ranks / ranks.size)  # every value equally often
    level, contrast = 0.04 + 0.92 * smooth[0], 0.05 + 0.55 * smooth[1]
    dots = rng.choice([-1.0, 1.0], (height, width))
    room = np.minimum(level, 1 - level)  # nothing is clipped
    grey = level + dots * contrast * room
    colour = 1 + 0.08 * np.stack([smooth[0] - 0.5, smooth[1] - 0.5, 0.5 - smooth[0]], 2)
    return np.clip(grey[..., None] * colour, 0, 1).astype(np.float32)


def mosaic(seed: int, height: int, width: int) -> np.ndarray:
    """Irregular polygon stones with joints, stripes and grain: held out, unlike the others."""
    rng = np.random.default_rng(seed)
    full_height, full_width = height * SUPERSAMPLING, width * SUPERSAMPLING
    count = 420
    sites = rng.uniform(0, 1, (count, 2)) * (full_height, full_width)
    rows, columns = np.mgrid[:full_height, :full_width].astype(np.float32)
    nearest = np.full((full_height, full_width), np.inf, np.float32)
    second = nearest.copy()
    owner = np.zeros((full_height, full_width), np.int32)
    for index, (row, column) in enumerate(sites):
        distance = np.hypot(rows - row, columns - column).astype(np.float32)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        owner[closer] = index
        nearest = np.minimum(nearest, distance)
    levels = rng.beta(0.9, 0.9, count)
    colours = np.clip(levels[:, None] + rng.normal(0, 0.1, (count, 3)), 0.02, 1)
    angles = rng.uniform(0, 2 * np.pi, count)
    slope = np.cos(angles)[owner] * columns + np.sin(angles)[owner] * rows
    stripes = rng.uniform(3.5, 9, count)[owner] * SUPERSAMPLING
    depth = (rng.uniform(0, 0.2, count) * (rng.random(count) < 0.5))[owner]
    canvas = colours[owner] + (depth * np.sign(np.sin(2 * np.pi * slope / stripes)))[..., None]
    joint = (second - nearest) < 1.2 * SUPERSAMPLING
    canvas[joint] = (0.12, 0.1, 0.1)
    image = reduce_to(np.clip(canvas, 0, 1).astype(np.float32), height, width)
    return np.clip(image * (1 + rng.normal(0, 0.03, (height, width, 1))), 0, 1)


# file name without ending -> how it is made; the split is the folder
SCENES: dict[str, Callable[[], np.ndarray]] = {
    "train/astronaut": lambda: photograph(data.astronaut(), (0, 0, 512, 512), (288, 288)),
    "train/chelsea": lambda: photograph(data.chelsea(), (0, 40, 300, 360), (240, 288)),
    "train/rocket": lambda: photograph(data.rocket(), (20, 140, 400, 400), (240, 240)),
    "train/hubble": lambda: photograph(data.hubble_deep_field(), (100, 200, 720, 720), (240, 240)),
    "train/brick": lambda: tint(
        photograph(data.brick(), (0, 0, 512, 512), (240, 240)), (0.2, 0.05, 0.02), (1, 0.85, 0.72)
    ),
    "train/grass": lambda: tint(
        photograph(data.grass(), (0, 0, 512, 512), (240, 240)), (0, 0.06, 0), (0.85, 1, 0.55)
    ),
    "train/gravel": lambda: tint(
        photograph(data.gravel(), (0, 0, 512, 512), (240, 240)), (0.04, 0.02, 0), (1, 0.97, 0.92)
    ),
    "train/leaves": lambda: dead_leaves(1, 240, 240),
    "train/strokes": lambda: strokes(11, 240, 288),
    "train/edges": lambda: slanted_edges(3, 240, 288),
    "train/grain": lambda: grain(6, 240, 240),
    "test/coffee": lambda: photograph(data.coffee(), (0, 60, 400, 480), (240, 288)),
    "test/camera": lambda: photograph(data.camera(), (0, 0, 512, 512), (288, 288)),
    "test/mosaic": lambda: mosaic(4, 240, 240),
}


def main(folder: Path) -> None:
    """Writes every picture under `folder`/train and `folder`/test."""
    for name, make in SCENES.items():
        image = np.clip(make(), 0, 1)
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.floor(image * 255 + 0.5).astype(np.uint8)
        cv2.imwrite(str(path), array[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(path.name, array.shape, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
