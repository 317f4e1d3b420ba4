"""One axis of each resampling mode as weights, and their application by torch.

They reproduce OpenCV 5 within float32 rounding. OpenCV 4 and torch round positions to float32,
which moves a full-contrast edge by at most 3e-5 of its height on images of up to 400 pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def apply_axes(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """Apply matrices (new height, H) and (new width, W) to the axes of x, differentiably."""
    down = torch.from_numpy(rows).to(x)
    across = torch.from_numpy(columns).to(x)
    return torch.matmul(torch.matmul(down, x), across.T)


@lru_cache(maxsize=16)
def cv2_axis(mode: str, in_size: int, out_size: int, shrinks: bool) -> np.ndarray:
    """Return one axis of ``cv2.resize`` as a matrix (out_size, in_size), float64.

    Modes are "linear", "cubic", "lanczos4" and "area". ``shrinks`` tells whether neither axis
    grows: otherwise OpenCV's area mode is a different one.
    """
    if mode == "area" and shrinks:
        return _area(in_size, out_size)
    if mode == "area":
        return _place(*_area_growing(in_size, out_size), in_size)
    scale = in_size / out_size
    position = (np.arange(out_size) + 0.5) * scale - 0.5
    if mode == "lanczos4":  # here OpenCV rounds the position to float32
        position = position.astype(np.float32).astype(np.float64)
    first = np.floor(position)
    fraction = position - first
    if mode == "linear":
        weights, reach = np.stack([1 - fraction, fraction], 1), 0
    elif mode == "cubic":
        weights, reach = _cubic(fraction), 1
    else:
        weights, reach = _lanczos4(fraction), 3
    return _place(first.astype(np.int64) - reach, weights, in_size)


@lru_cache(maxsize=16)
def adaptive_windows(in_size: int, out_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the starts and the lengths of the windows of torch's area mode, as int64 arrays."""
    i = np.arange(out_size, dtype=np.int64)
    start = i * in_size // out_size
    return start, -(-(i + 1) * in_size // out_size) - start


def _place(first: np.ndarray, weights: np.ndarray, in_size: int) -> np.ndarray:
    """Build a matrix from taps; those beyond the border fall on the last pixel."""
    indices = np.clip(first[:, None] + np.arange(weights.shape[1]), 0, in_size - 1)
    matrix = np.zeros((len(first), in_size))
    np.add.at(matrix, (np.arange(len(first))[:, None], indices), weights)
    return matrix


def _cubic(t: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.75, no antialiasing."""
    a = -0.75

    def near(d: np.ndarray) -> np.ndarray:
        value: np.ndarray = ((a + 2) * d - (a + 3)) * d * d + 1
        return value

    def far(d: np.ndarray) -> np.ndarray:
        value: np.ndarray = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return value

    first, second, third = far(t + 1), near(t), near(1 - t)
    return np.stack([first, second, third, 1 - first - second - third], 1)


def _lanczos4(t: np.ndarray) -> np.ndarray:
    """Lanczos with four lobes, normalised, no antialiasing."""
    distance = t[:, None] + 3 - np.arange(8)
    weights = np.sinc(distance) * np.sinc(distance / 4)
    normalised: np.ndarray = weights / weights.sum(1, keepdims=True)
    return normalised


def _area(in_size: int, out_size: int) -> np.ndarray:
    """Return the share of each output pixel covered by each input pixel."""
    scale = in_size / out_size
    low = np.arange(out_size)[:, None] * scale
    edge = np.arange(in_size)[None, :]
    cover = np.minimum(low + scale, edge + 1) - np.maximum(low, edge)
    # OpenCV ignores overlaps below a thousandth of a pixel.
    cover = np.where(cover > 1e-3, cover, 0.0)
    normalised: np.ndarray = cover / cover.sum(1, keepdims=True)
    return normalised


def _area_growing(in_size: int, out_size: int) -> tuple[np.ndarray, np.ndarray]:
    scale, inverse = in_size / out_size, out_size / in_size
    i = np.arange(out_size)
    first = np.floor(i * scale).astype(np.int64)
    fraction = ((i + 1) - (first + 1) * inverse).astype(np.float32)
    fraction = np.where(fraction <= 0, 0, fraction - np.floor(fraction)).astype(np.float64)
    return first, np.stack([1 - fraction, fraction], 1)


def nearest_index(in_size: int, out_size: int, flavour: str) -> np.ndarray:
    """Return the index of the input pixel for each output pixel.

    For "matlab" its area contains the output's centre, ties taking the later one; for "cv2" it is
    at the output pixel's first edge.
    """
    i = np.arange(out_size, dtype=np.int64)
    if flavour == "matlab":
        return np.minimum((2 * i + 1) * in_size // (2 * out_size), in_size - 1)
    scale = 1.0 / (out_size / in_size)  # as OpenCV rounds it
    index: np.ndarray = np.minimum(np.floor(i * scale).astype(np.int64), in_size - 1)
    return index
