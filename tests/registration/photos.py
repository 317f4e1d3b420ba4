"""Photos whose relation is known: scenes that are formulas, seen by two cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realdeg.utils.image import write_image
from tests.evaluation.scenes import render, scene


@dataclass(frozen=True)
class Known:
    """A wide and a tele photo, (H, W, 3) in 8-bit levels, and where one lies in the other."""

    wide: np.ndarray
    tele: np.ndarray
    ratio: float
    rotation: float
    shift: tuple[float, float]
    bend: float

    def truth(self, places: np.ndarray) -> np.ndarray:
        """Positions (..., 2) of the wide photo in the tele photo."""
        return between(
            places, self.wide.shape, self.tele.shape, self.ratio, self.rotation, self.shift,
            self.bend,
        )  # fmt: skip

    def write(self, folder: Path, name: str, wide: str = ".png", tele: str = ".png") -> None:
        for side, image, suffix in (("wide", self.wide, wide), ("tele", self.tele, tele)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            deep = suffix == ".tif"
            levels = np.round(image * 257) if deep else np.round(image)
            pixels = levels.clip(0, 65535 if deep else 255).astype(np.uint16 if deep else np.uint8)
            write_image(folder / side / f"{name}{suffix}", pixels)


def between(places, wide, tele, ratio, rotation, shift, bend=0.0):
    turn = math.radians(rotation)
    matrix = ratio * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    offset = (places - (np.array(wide[:2]) - 1) / 2) @ matrix.T + np.array(shift)
    square = ((offset / (math.hypot(*tele[:2]) / 2)) ** 2).sum(-1, keepdims=True)
    return offset * (1 + bend * square) + (np.array(tele[:2]) - 1) / 2


def known(
    ratio: float = 2.04,
    rotation: float = 0.7,
    shift: tuple[float, float] = (4.3, -6.1),
    bend: float = 0.0,
    tele: tuple[int, int] = (224, 256),
    extra: float = 1.15,
    seed: int = 0,
    noise: float = 1.5,
    blurs: tuple[float, float] = (0.45, 0.75),
) -> Known:
    """A tele photo, and a wide one that shows more, is turned, brighter, noisy and blurred.

    Its blur grows from left to right, in wide pixels from the first to the second number.
    """
    waves = scene(seed, max(1.5, ratio), waves=160)
    size = tuple(math.ceil(side * extra / ratio) for side in tele)
    grid = np.stack(np.mgrid[0 : size[0], 0 : size[1]].astype(float), -1)
    at = between(grid, size, tele, ratio, rotation, shift, bend)
    weight = np.linspace(0, 1, size[1])
    soft = [render(waves, at[..., 0], at[..., 1], blur * ratio) for blur in blurs]
    base = (1 - weight) * soft[0] + weight * soft[1]
    sharp = render(waves, *np.mgrid[0 : tele[0], 0 : tele[1]].astype(float), 0)
    drawn = np.random.default_rng(seed)
    images = []
    for luma, gains in ((base, (1.14, 1.1, 1.05)), (sharp, (1.0, 1.0, 1.0))):
        # Colours that vary: the channels are not multiples of each other.
        tint = np.stack([luma.clip(0.02, 1) ** power for power in (0.9, 1.0, 1.15)], -1) * 200
        level = noise if luma is base else 0.5
        images.append(tint * gains + drawn.normal(size=tint.shape) * level)
    return Known(images[0], images[1], ratio, rotation, shift, bend)


def jpeg(image: np.ndarray, quality: int = 90) -> np.ndarray:
    """The image after JPEG compression, in 8-bit levels."""
    done, data = cv2.imencode(
        ".jpg", np.round(image).clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert done
    return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float64)
