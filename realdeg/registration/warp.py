"""Sampling of images between their pixels, in double precision of position.

OpenCV's ``remap`` rounds positions to 1/32 pixel, which is more than the registration is off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import cv2
import numpy as np

Mapping: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Takes positions (..., 2), row and column, and returns positions (..., 2) in another image."""

Interpolation: TypeAlias = Literal["bicubic", "spline"]
"""Keys' cubic with a = -0.5, as MATLAB's; or the cubic B-spline, which blurs hardly anything."""

# Positions that are computed at a time: 16 taps of three channels stay within a few MiB.
_AT_ONCE = 1 << 17
# Pixels that are added on each side.
_BORDER = 5
# Above this many source pixels per sample a Gaussian removes what would alias.
_SHRINKS = 1.05


def prepare(image: np.ndarray, interpolation: Interpolation) -> np.ndarray:
    """Return what :func:`sample` reads: the image, or the coefficients of its spline.

    Args:
        image: Shape (H, W, C), any numbers.
        interpolation: ``"bicubic"`` or ``"spline"``.

    Returns:
        float32, shape (C, H + 10, W + 10).
    """
    planes = []
    for channel in range(image.shape[2]):
        plane = image[..., channel].astype(np.float32)
        if interpolation == "spline":
            from scipy.ndimage import spline_filter1d

            for axis in (0, 1):
                plane = spline_filter1d(plane, 3, axis, np.float32, mode="mirror")
        mode: Literal["reflect", "edge"] = "edge"
        if interpolation == "spline" and min(plane.shape) > _BORDER:
            mode = "reflect"
        planes.append(np.pad(plane, _BORDER, mode=mode))
    return np.stack(planes)


def sample(
    prepared: np.ndarray, places: np.ndarray, interpolation: Interpolation = "bicubic"
) -> np.ndarray:
    """Return the values at some positions; beyond the border its pixels are repeated.

    Args:
        prepared: What :func:`prepare` returned.
        places: Rows and columns, shape (..., 2); the centre of the first pixel is (0, 0).
        interpolation: The one that was prepared.

    Returns:
        float32, shape (..., C).
    """
    channels, height, width = prepared.shape
    first = np.floor(places)
    rest = (places - first).astype(np.float32)
    weigh = _keys if interpolation == "bicubic" else _basis
    rows, columns = weigh(rest[..., 0]), weigh(rest[..., 1])
    # The border is wide enough for every tap of a position just outside; others are brought there.
    top = np.clip(first[..., 0] + (_BORDER - 1), 0, height - 4).astype(np.intp)
    left = np.clip(first[..., 1] + (_BORDER - 1), 0, width - 4).astype(np.intp)
    index = top * width + left
    result = np.empty((*places.shape[:-1], channels), np.float32)
    for channel in range(channels):
        flat = prepared[channel].reshape(-1)
        total = np.zeros(index.shape, np.float32)
        for down in range(4):
            line = np.zeros(index.shape, np.float32)
            for right in range(4):
                line += columns[right] * flat[down * width + right :].take(index)
            total += rows[down] * line
        result[..., channel] = total
    return result


def warp(
    image: np.ndarray,
    mapping: Mapping,
    size: tuple[int, int],
    interpolation: Interpolation = "bicubic",
    *,
    shrinks: float = 1.0,
) -> np.ndarray:
    """Resample an image once.

    Args:
        image: Shape (H, W, C).
        mapping: From positions in the result to positions in the image.
        size: Height and width of the result.
        interpolation: How values between pixels are found.
        shrinks: Pixels of the image per pixel of the result; where it is above 1, a Gaussian first
            removes what the result cannot hold.

    Returns:
        float32, shape (height, width, C), on the scale of the image, not clipped.
    """
    if shrinks > _SHRINKS:
        image = blur(image, 0.5 * float(np.sqrt(shrinks**2 - 1)))
    prepared = prepare(image, interpolation)
    result = np.empty((*size, image.shape[2]), np.float32)
    step = max(1, _AT_ONCE // max(1, size[1]))
    for top in range(0, size[0], step):
        count = min(step, size[0] - top)
        result[top : top + count] = sample(
            prepared, mapping(grid((count, size[1]), (top, 0))), interpolation
        )
    return result


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian of ``sigma`` pixels: float32, shape (H, W, C)."""
    source = np.ascontiguousarray(image, np.float32)
    if sigma <= 0:
        return source
    blurred = cv2.GaussianBlur(source, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred.reshape(source.shape)


def grid(size: tuple[int, int], start: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Return the positions of a rectangle of pixels, float64, shape (height, width, 2)."""
    rows = np.arange(size[0], dtype=np.float64) + start[0]
    columns = np.arange(size[1], dtype=np.float64) + start[1]
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)


def _keys(t: np.ndarray) -> list[np.ndarray]:
    """Weights of the four pixels around a position, for a = -0.5."""
    square, cube = t * t, t * t * t
    return [
        -0.5 * cube + square - 0.5 * t,
        1.5 * cube - 2.5 * square + 1,
        -1.5 * cube + 2 * square + 0.5 * t,
        0.5 * cube - 0.5 * square,
    ]


def _basis(t: np.ndarray) -> list[np.ndarray]:
    """The same for the cubic B-spline."""
    square, cube = t * t, t * t * t
    return [
        (1 - t) ** 3 / 6,
        (3 * cube - 6 * square + 4) / 6,
        (-3 * cube + 3 * square + 3 * t + 1) / 6,
        cube / 6,
    ]
