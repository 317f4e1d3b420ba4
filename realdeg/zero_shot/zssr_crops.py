"""The HR crops that ZSSR takes from the image: as they are, turned, or distorted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.backbones.refinement import TURNS, turned


@dataclass(frozen=True)
class Augmentation:
    """How crops are drawn.

    Args:
        as_is: Probability of a crop without any change.
        turned: Probability of a crop that is only turned and reflected.
        least_scale: The smallest scale of distorted crops.
        scale_difference: Standard deviation of the difference between the two axes' scales.
        shear: Standard deviation of the shear along either axis.
        turns: Whether crops are turned and reflected at all; not for kernels with a direction.
    """

    as_is: float = 0.05
    turned: float = 0.45
    least_scale: float = 0.5
    scale_difference: float = 0.25
    shear: float = 0.1
    turns: bool = True


class Crops:
    """Draws crops from an image and from the enlargements that were made of it.

    A crop comes from the smallest source that is not smaller than a drawn scale. Distortions are
    computed by OpenCV's bicubic interpolation; what lies beyond the image is black, as in the
    published program. Differences from it: turning and reflecting is exact and around the pixels'
    middle, and a crop is not larger than its source.

    Args:
        image: (1, C, h, w) in [0, 1].
        how: Probabilities and ranges.
        side: Largest height and width of a crop.
        rng: The random generator.

    Source:
        random_augment in utils.py of assafshocher/ZSSR, commit d99db08.
    """

    def __init__(
        self, image: Tensor, how: Augmentation, side: int, rng: np.random.Generator
    ) -> None:
        self._how, self._side, self._rng = how, side, rng
        self._sources: list[tuple[float, Tensor]] = []
        self.add(image, 1.0)

    def add(self, image: Tensor, scale: float) -> None:
        """Add an enlargement as another source.

        Args:
            image: (1, C, H, W).
            scale: Its size relative to the image; of two axes, the smaller.
        """
        self._sources.append((scale, image))

    def draw(self) -> Tensor:
        """Return a crop, (1, C, up to ``side``, up to ``side``) in [0, 1]."""
        how, rng = self._how, self._rng
        chance = rng.random()
        if chance < how.as_is:
            return self._cut(self._sources[0][1])
        scale = how.least_scale + rng.random() * (self._sources[-1][0] - how.least_scale)
        base, source = next(each for each in self._sources if each[0] > scale - 1e-6)
        if chance < how.as_is + how.turned:
            crop = self._cut(source)
            return turned(crop, int(rng.integers(TURNS))) if how.turns else crop
        return self._distorted(source, scale / base)

    def _cut(self, source: Tensor) -> Tensor:
        rows, columns = (min(self._side, int(length)) for length in source.shape[-2:])
        top = int(self._rng.integers(source.shape[-2] - rows + 1))
        left = int(self._rng.integers(source.shape[-1] - columns + 1))
        return source[..., top : top + rows, left : left + columns]

    def _distorted(self, source: Tensor, scale: float) -> Tensor:
        how, rng = self._how, self._rng
        height, width = int(source.shape[-2]), int(source.shape[-1])
        difference = rng.normal() * how.scale_difference
        mirror = float(rng.choice((-1.0, 1.0))) if how.turns else 1.0
        angle = rng.random() * 2 * math.pi if how.turns else 0.0
        right, down = (
            rng.random() * max(scale * length - self._side, 0.0) for length in (width, height)
        )
        shear = np.array([[1, rng.normal() * how.shear], [rng.normal() * how.shear, 1]])
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        size = np.diag([mirror * (scale + difference / 2), scale - difference / 2])
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = shear @ turn @ size
        # Around the image's middle, then shifted to the crop.
        shift = middle - matrix @ middle - np.array([right, down])
        made = cv2.warpAffine(
            source[0].permute(1, 2, 0).contiguous().cpu().numpy(),
            np.column_stack([matrix, shift]),
            (min(self._side, width), min(self._side, height)),
            flags=cv2.INTER_CUBIC,
        )
        made = made.reshape(*made.shape[:2], int(source.shape[1])).clip(0, 1)
        return torch.from_numpy(made).permute(2, 0, 1)[None].to(source)
