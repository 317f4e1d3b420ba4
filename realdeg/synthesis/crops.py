"""Patches of large images, and which of them are flat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realdeg.errors import ConfigError, as_given

FLAT = 1.0
"""Below this :func:`detail` a patch is flat: sky and walls without noise."""


@dataclass(frozen=True)
class CropGrid:
    """A grid of patches over an image.

    Patches begin every ``stride`` pixels; one more row and column end at the image's borders, as
    in the crops of BasicSR and Real-ESRGAN (``extract_subimages.py`` with ``thresh_size=0``).

    Args:
        size: Height and width of a patch in HR pixels.
        stride: Distance of neighbours in HR pixels.
        flat: Patches with less :func:`detail` are dropped; 0 keeps all.

    Raises:
        ConfigError: If a number is out of range.
    """

    size: int
    stride: int
    flat: float = FLAT

    def __post_init__(self) -> None:
        for name in ("size", "stride"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 20:
                shown = "crop" if name == "size" else name
                raise ConfigError(f"{shown} is a number of pixels from 1, got {value!r:.40}.")
        if not isinstance(self.flat, int | float) or not 0 <= self.flat <= 255:
            raise ConfigError(f"flat is a number from 0 to 255, got {self.flat!r:.40}.")

    def check_scale(self, scale: int) -> None:
        """Refuse patches that a degradation could not reduce whole.

        Args:
            scale: The degradation's stride in HR pixels.

        Raises:
            ConfigError: If their size is not divisible by it.
        """
        if self.size % scale:
            raise ConfigError(
                f"{as_given(crop=self.size)} is not divisible by the scale {scale}: take"
                f" {as_given(crop=max(scale, self.size // scale * scale))}."
            )

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return top and left of every patch, row by row; none in an image that is smaller.

        Examples:
            >>> CropGrid(4, 3).corners(4, 9)
            [(0, 0), (0, 3), (0, 5)]
        """
        tops, lefts = self._starts(height), self._starts(width)
        return [(top, left) for top in tops for left in lefts]

    def is_flat(self, patch: np.ndarray) -> bool:
        """Return whether a patch is dropped."""
        return self.flat > 0 and detail(patch) < self.flat

    def _starts(self, length: int) -> list[int]:
        if length < self.size:
            return []
        starts = list(range(0, length - self.size + 1, self.stride))
        if starts[-1] != length - self.size:
            starts.append(length - self.size)
        return starts


def detail(patch: np.ndarray) -> float:
    """Return the mean length of the gradient of luma, in 8-bit levels per pixel.

    The gradient is Sobel's, divided by 8, so a ramp of one level per pixel has 1. Luma is that of
    BT.601 over the full range. White noise of sigma 2 has about 1.1.

    Args:
        patch: H x W x C, ``uint8`` or ``uint16``; alpha is left out.
    """
    top = np.iinfo(patch.dtype).max
    pixels = patch[..., :3] if patch.shape[2] >= 3 else patch[..., :1]
    values = pixels.astype(np.float32) * np.float32(255 / top)
    luma = (
        values @ np.asarray((0.299, 0.587, 0.114), np.float32)
        if values.shape[2] == 3
        else values[..., 0]
    )
    across, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    return float(np.hypot(across, down).mean(dtype=np.float64)) / 8
