"""How an image is continued beyond its rim, and when OpenCV may do the work."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["reflect", "symmetric", "replicate", "wrap", "zeros"]
BORDERS: tuple[str, ...] = get_args(Border)
"""reflect: cb|abc, as torch's and OpenCV's default; symmetric: ba|abc, as MATLAB's; the rest as
their names say."""

CV2_BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "zeros": cv2.BORDER_CONSTANT,
}
"""OpenCV's names; its filters know no wrapping."""

_TORCH_MODES = {"reflect": "reflect", "replicate": "replicate", "wrap": "circular"}


def check_border(where: str, border: str) -> None:
    """Refuse an unknown border.

    Args:
        where: The function that was called.
        border: What the caller asked for.

    Raises:
        ValueError: If it is not one of :data:`BORDERS`.
    """
    if border not in BORDERS:
        raise ValueError(f"{where}: border is one of {', '.join(BORDERS)}, got {border!r}")


def check_image(where: str, x: Tensor) -> None:
    """Refuse what is no batch of images.

    Args:
        where: The function that was called.
        x: Wanted: shape (B, C, H, W), with at least one pixel.

    Raises:
        ValueError: If the shape is another one or the image has no pixel.
    """
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"{where} takes (B, C, H, W) with pixels, got shape {tuple(x.shape)}")
    if not x.dtype.is_floating_point:
        raise ValueError(f"{where} takes floating-point images, got {x.dtype}")


def on_cpu_without_gradient(x: Tensor) -> bool:
    """Return whether OpenCV may work on the tensor's memory: float32 on CPU, no gradient wanted.

    Args:
        x: Shape (B, C, H, W).

    Returns:
        Whether the torch path can be left.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not (x.requires_grad and torch.is_grad_enabled())
    )


def pad(x: Tensor, rows: tuple[int, int], columns: tuple[int, int], border: str) -> Tensor:
    """Continue a batch beyond its rim; differentiable.

    Args:
        x: Shape (B, C, H, W).
        rows: Pixels to add (above, below); may be more than the image has.
        columns: Pixels to add (on the left, on the right).
        border: One of :data:`BORDERS`.

    Returns:
        Shape (B, C, H + sum of rows, W + sum of columns).

    Raises:
        ValueError: If the border is unknown.
    """
    check_border("pad", border)
    amounts = (*columns, *rows)
    if border == "zeros":
        return F.pad(x, amounts)
    # torch's own padding is quick, but refuses to reach beyond the image.
    if border in _TORCH_MODES and max(rows) < x.shape[-2] and max(columns) < x.shape[-1]:
        return F.pad(x, amounts, mode=_TORCH_MODES[border])
    for axis, (before, after) in ((-2, rows), (-1, columns)):
        index = _indices(int(x.shape[axis]), before, after, border)
        x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


@lru_cache(maxsize=256)
def _indices(size: int, before: int, after: int, border: str) -> np.ndarray:
    position = np.arange(-before, size + after)
    if border == "replicate":
        return np.clip(position, 0, size - 1)
    if border == "wrap":
        return position % size
    if border == "symmetric":
        position = position % (2 * size)
        return np.minimum(position, 2 * size - 1 - position)
    if size == 1:
        return np.zeros_like(position)
    position = position % (2 * size - 2)
    return np.minimum(position, 2 * size - 2 - position)
