"""Images as arrays and as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

# Numbers converted at a time; a float64 copy of them fits into a processor's cache.
_STRIP = 1 << 18


def as_rgb(array: np.ndarray) -> np.ndarray:
    """Return an image of 1 to 4 channels as H x W x 3: grey is replicated, alpha is dropped."""
    if array.shape[2] <= 2:
        return np.repeat(array[..., :1], 3, axis=2)
    return array[..., :3]


def to_tensor(array: np.ndarray) -> Tensor:
    """Turn an array into a tensor.

    Args:
        array: H x W x C; integers are divided by the maximum of their type, floats are kept.

    Returns:
        float32 in [0, 1], shape (C, H, W).
    """
    channels_first = np.ascontiguousarray(array.transpose(2, 0, 1))
    if min(channels_first.strides) < 0:  # one flipped row or column: contiguous for NumPy
        channels_first = channels_first.copy()
    if not np.issubdtype(array.dtype, np.integer):
        return torch.from_numpy(channels_first.astype(np.float32, copy=False))
    if channels_first.dtype == np.uint8:
        return torch.from_numpy(channels_first).float().div_(255)
    values = channels_first.astype(np.float32)
    values /= np.iinfo(array.dtype).max
    return torch.from_numpy(values)


def to_array(tensor: Tensor, dtype: Any = np.uint8) -> np.ndarray:
    """Turn a tensor into an array: clipped, rounded half up (as MATLAB does).

    Besides the result it needs memory for a strip of the image only.

    Args:
        tensor: Values in [0, 1], shape (C, H, W).
        dtype: ``np.uint8`` or ``np.uint16``.

    Returns:
        H x W x C of ``dtype``.
    """
    greatest = int(np.iinfo(dtype).max)
    channels, height, width = tensor.shape
    result = np.empty((height, width, channels), dtype)
    rows = max(1, _STRIP // max(1, channels * width))
    source = tensor.detach()
    for top in range(0, height, rows):
        strip = source[:, top : top + rows].to("cpu", torch.float64, copy=True)
        # float64 so that 16-bit levels survive the addition of one half.
        strip.clamp_(0, 1).mul_(greatest).add_(0.5).floor_()
        result[top : top + rows] = strip.numpy().transpose(1, 2, 0)
    return result


def round_to_8_bit(images: Tensor) -> Tensor:
    """Round to the levels of 8-bit files, clipped and half up as :func:`to_array` does.

    Args:
        images: Any shape, in [0, 1].

    Returns:
        A new tensor of the same shape in [0, 1].
    """
    return images.mul(255).clamp(0, 255).add_(0.5).floor_().div_(255)
