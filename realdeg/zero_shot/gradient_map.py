"""Where KernelGAN's form of ZSSR looks: at pixels with strong gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.strong_gradients import crop_chances, strong_gradients
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
    """

    def __init__(self, image: Tensor, side: int, rng: np.random.Generator) -> None:
        self._image, self._weights, self._rng = image, gradient_map(image), rng
        self._rows, self._columns = (min(side, int(length)) for length in image.shape[-2:])
        strengths = self._weights[0, 0].double().cpu().numpy()
        self._chances = crop_chances(strengths, (self._rows, self._columns), max(side // 2, 1))

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return a crop, (1, C, up to ``side``, up to ``side``), and the weights of its pixels."""
        number = int(self._rng.choice(self._chances.size, p=self._chances.ravel()))
        top, left = divmod(number, self._chances.shape[1])
        place = slice(top, top + self._rows), slice(left, left + self._columns)
        return self._image[(..., *place)], self._weights[(..., *place)]

    def add(self, image: Tensor, scale: float) -> None:
        """Leave enlargements out: crops come from the image alone."""
