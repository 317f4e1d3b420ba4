"""Padding of images, and when OpenCV can be used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.utils.deprecation import warn_renamed

Padding = Literal["reflect", "symmetric", "replicate", "circular", "zeros"]
PADDINGS: tuple[str, ...] = get_args(Padding)
"""reflect: cb|abc, torch's and OpenCV's default; symmetric: ba|abc, MATLAB's."""

Border = Literal["reflect", "symmetric", "replicate", "wrap", "zeros"]
BORDERS: tuple[str, ...] = get_args(Border)
"""The names of paddings in traces and files."""

CV2_BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "zeros": cv2.BORDER_CONSTANT,
}
"""OpenCV's constants; its filters do not support circular padding."""

_TORCH_MODES = {"reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def known_padding(where: str, padding: str, known: Sequence[str] = PADDINGS) -> str:
    """Return a supported padding by its current name, or raise ValueError.

    The former ``"wrap"`` and, for resizing, ``"mirror"`` are accepted with a warning. ``where`` is
    the calling function, ``known`` the paddings that it supports.
    """
    # Not "mirror" for filters, where some libraries use it for "reflect".
    former = {"wrap": "circular"} if known is PADDINGS else {"mirror": "symmetric"}
    if padding in former:
        warn_renamed(f"{where}(padding={padding!r})", f"padding={former[padding]!r}", 4)
        return former[padding]
    if padding not in known:
        raise ValueError(f"{where}: padding is one of {', '.join(known)}, got {padding!r}")
    return padding


def padding_of(border: str) -> str:
    """Return the padding for a name of :data:`BORDERS`."""
    return "circular" if border == "wrap" else border


def check_image(where: str, x: Tensor) -> None:
    """Raise ValueError unless ``x`` is floating-point, (B, C, H, W), with at least one pixel."""
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"{where} takes (B, C, H, W) with pixels, got shape {tuple(x.shape)}")
    if not x.dtype.is_floating_point:
        raise ValueError(f"{where} takes floating-point images, got {x.dtype}")


def on_cpu_without_gradient(x: Tensor) -> bool:
    """Return whether OpenCV can work on the tensor's memory: float32, on the CPU, no gradient."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not (x.requires_grad and torch.is_grad_enabled())
    )


def pad(x: Tensor, rows: tuple[int, int], columns: tuple[int, int], padding: str) -> Tensor:
    """Pad a batch; differentiable.

    Args:
        x: Shape (B, C, H, W).
        rows: Pixels to add (above, below), possibly more than the image has.
        columns: Pixels to add (left, right).
        padding: One of :data:`PADDINGS`.

    Returns:
        Shape (B, C, H + sum of rows, W + sum of columns).

    Raises:
        ValueError: If the padding is unknown.
    """
    padding = known_padding("pad", padding)
    amounts = (*columns, *rows)
    if padding == "zeros":
        return F.pad(x, amounts)
    # torch's padding is fast, but cannot add more pixels than the image has.
    if padding in _TORCH_MODES and max(rows) < x.shape[-2] and max(columns) < x.shape[-1]:
        return F.pad(x, amounts, mode=_TORCH_MODES[padding])
    for axis, (before, after) in ((-2, rows), (-1, columns)):
        index = _indices(int(x.shape[axis]), before, after, padding)
        x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


@lru_cache(maxsize=256)
def _indices(size: int, before: int, after: int, padding: str) -> np.ndarray:
    position = np.arange(-before, size + after)
    if padding == "replicate":
        return np.clip(position, 0, size - 1)
    if padding == "circular":
        return position % size
    if padding == "symmetric":
        position = position % (2 * size)
        return np.minimum(position, 2 * size - 1 - position)
    if size == 1:
        return np.zeros_like(position)
    position = position % (2 * size - 2)
    return np.minimum(position, 2 * size - 2 - position)
