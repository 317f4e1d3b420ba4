"""The crop and the orientation in which a pair is seen, drawn from (seed, epoch, item)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realdeg.errors import ConfigError, DataError
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class View:
    """How pairs are cropped and turned.

    Args:
        crop: Side of a square patch of HR in pixels; None takes the whole image.
        flip: Whether left and right are exchanged in every other item.
        rotate: Whether items are also turned by multiples of 90 degrees.

    Raises:
        ConfigError: If ``crop`` is not a positive whole number.
    """

    crop: int | None = None
    flip: bool = False
    rotate: bool = False

    def __post_init__(self) -> None:
        """Check the side of the patch."""
        if self.crop is not None and (type(self.crop) is not int or self.crop < 1):
            raise ConfigError(f"crop is a number of HR pixels, 1 or more, got {self.crop!r}.")

    @property
    def draws(self) -> bool:
        """Whether anything is random."""
        return self.crop is not None or self.flip or self.rotate

    def apply(
        self, hr: np.ndarray, lr: np.ndarray | None, where: str, *parts: int | str
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Crop and turn an image or a pair.

        Args:
            hr: Shape (H, W, C).
            lr: Shape (h, w, C), a whole number of times smaller, or of the same size; or None.
            where: The image's name in messages.
            *parts: What the draws depend on.

        Raises:
            ConfigError: If the patch is not a whole number of LR pixels.
            DataError: If the image is smaller than the patch, or LR is of another size.
        """
        rng = np.random.default_rng(stream_seed(*parts, "view"))
        # All are always drawn, so that no setting changes the others' outcome.
        across, down = rng.random(2)
        flip, quarter = bool(rng.random() < 0.5), int(rng.integers(4))
        factor = 1 if lr is None else ratio(hr, lr, where)
        if self.crop is not None:
            hr, lr = self._cut(hr, lr, factor, (down, across), where)
        images = [hr] if lr is None else [hr, lr]
        if self.flip and flip:
            images = [image[:, ::-1] for image in images]
        if self.rotate:
            images = [np.rot90(image, quarter) for image in images]
        return images[0], images[1] if lr is not None else None

    def _cut(
        self,
        hr: np.ndarray,
        lr: np.ndarray | None,
        factor: int,
        at: tuple[float, float],
        where: str,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        side = self.crop or 0
        if side % factor:
            raise ConfigError(
                f"crop={side} HR pixels is not divisible by the scale {factor} of {where}."
            )
        height, width = hr.shape[:2]
        if min(height, width) < side:
            raise DataError(
                f"{where} is {height} x {width} pixels, smaller than the crop of {side}: leave it"
                " out or crop less."
            )
        # Every position on the coarser grid is equally likely.
        top, left = (
            int(place * ((length - side) // factor + 1)) * factor
            for place, length in zip(at, (height, width), strict=True)
        )
        part = hr[top : top + side, left : left + side]
        if lr is None:
            return part, None
        small, top, left = side // factor, top // factor, left // factor
        return part, lr[top : top + small, left : left + small]


def ratio(hr: np.ndarray, lr: np.ndarray, where: str) -> int:
    """Return how many HR pixels an LR pixel has along a side.

    Raises:
        DataError: If it is not one whole number.
    """
    (height, width), (rows, columns) = hr.shape[:2], lr.shape[:2]
    factor = height // rows
    if factor < 1 or (rows * factor, columns * factor) != (height, width):
        raise DataError(
            f"{where}: HR is {height} x {width} and LR {rows} x {columns} pixels, where HR has to"
            " be a whole number of times as large."
        )
    return factor
