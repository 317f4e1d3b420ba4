"""A folder in which the commands of the documentation find what they speak of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realdeg.degradations import build_degradation
from realdeg.utils.image import write_image


def picture(path: Path, height: int, width: int, seed: int = 0) -> None:
    """Write a picture with something to see in it."""
    drawn = np.random.default_rng(seed)
    coarse = drawn.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, coarse.repeat(8, 0).repeat(8, 1)[:height, :width])


def pairs(hr: Path, lr: Path, count: int, side: int, scale: int = 1) -> None:
    """Write pairs under equal names; ``scale`` is how much smaller LR is."""
    for number in range(count):
        picture(hr / f"{number:03d}.png", side, side, number)
        picture(lr / f"{number:03d}.png", side // scale, side // scale, number)


def camera(path: Path, scale: int = 4, same_size: bool = True) -> None:
    """Write the weights of a tiny learned degradation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"type": "DML", "num_kernels": 2, "width": 4, "levels": 1}
    build_degradation(settings, scale, same_size).save(path, {})


def set_up(folder: Path) -> None:
    """Fill a page's folder with the pictures that the pages name.

    The photos have sizes that no scale divides, as photos of people have.
    """
    for name in ("photo.png", "small.png", "lr.png", "butterfly.png"):
        picture(folder / name, 61, 90)
    for name in ("photos", "folder_in", "hr"):
        for number in range(2):
            picture(folder / name / f"{'ab'[number]}.png", 131 + number, 147, number)
    for name in ("pairs", "pairs/train"):
        pairs(folder / name / "hr", folder / name / "lr", 3, 128)
    pairs(folder / "pairs_v3/hr", folder / "pairs_v3/lr", 3, 128, scale=4)
    pairs(folder / "pairs_v3/test_hr", folder / "pairs_v3/test_lr", 2, 128, scale=4)
    pairs(folder / "pairs/test_hr", folder / "pairs/test_lr", 2, 128)
    pairs(folder / "pairs/test/hr", folder / "pairs/test/lr", 2, 128)
