"""Where KernelGAN's form of ZSSR looks: at pixels with strong gradients."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.strong_gradients import strong_gradients
from realdeg.utils.colour import to_colour


def gradient_map(image: Tensor) -> Tensor:
    """Return the weight of each pixel in the loss: large near strong gradients, 1 on average.

    Args:
        image: (1, C, h, w) in [0, 1].

    Returns:
        (1, 1, h, w), of the image's type; 1 everywhere for an image without gradients. See
        :func:`~realdeg.degradations.primitives.strong_gradients.strong_gradients`.
    """
    found = strong_gradients(to_colour(image, "y")[0, 0].double().cpu().numpy())
    weights = found if found.any() else np.ones_like(found)
    return torch.from_numpy(weights)[None, None].to(image)


class GradientCrops:
    """Draws crops as they are, more often where gradients are strong in their middle.

    Args:
        image: (1, C, h, w) in [0, 1].
        side: Largest height and width of a crop.
        rng: The random generator.

    Source:
        create_probability_map of sefibk/KernelGAN, as copied in JingyunLiang/FKP
        (KernelGANFKP/util.py, commit 127c121).
    """

    def __init__(self, image: Tensor, side: int, rng: np.random.Generator) -> None:
        self._image, self._weights, self._rng = image, gradient_map(image), rng
        self._rows, self._columns = (min(side, int(length)) for length in image.shape[-2:])
        half = max(side // 2, 1)
        strength = cv2.blur(
            self._weights[0, 0].double().cpu().numpy(),
            (half, half),
            borderType=cv2.BORDER_CONSTANT,
        )
        height, width = strength.shape
        corners = height - self._rows + 1, width - self._columns + 1
        middle = self._rows // 2, self._columns // 2
        chances = strength[middle[0] : middle[0] + corners[0], middle[1] : middle[1] + corners[1]]
        chances = np.maximum(chances, 0).ravel()
        self._across = corners[1]
        even = np.full(chances.size, 1 / chances.size)
        self._chances = chances / chances.sum() if chances.sum() > 0 else even

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return a crop, (1, C, up to ``side``, up to ``side``), and the weights of its pixels."""
        number = int(self._rng.choice(self._chances.size, p=self._chances))
        top, left = divmod(number, self._across)
        place = slice(top, top + self._rows), slice(left, left + self._columns)
        return self._image[(..., *place)], self._weights[(..., *place)]

    def add(self, image: Tensor, scale: float) -> None:
        """Leave enlargements out: crops come from the image alone."""
