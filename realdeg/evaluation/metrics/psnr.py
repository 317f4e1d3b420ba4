"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

from torch import Tensor


def check_shapes(first: Tensor, second: Tensor) -> None:
    """Raise ValueError unless two images have the same shape (C, H, W)."""
    if first.shape != second.shape or first.ndim != 3:
        raise ValueError(
            "two images of the same shape (C, H, W) are compared,"
            f" got {tuple(first.shape)} and {tuple(second.shape)}"
        )


def psnr(first: Tensor, second: Tensor, *, peak: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        peak: The peak value: 1 for tensors in [0, 1], 255 on the 8-bit scale.

    Returns:
        dB; infinity for equal images.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> import torch
        >>> round(psnr(torch.zeros(1, 4, 4), torch.full((1, 4, 4), 0.1)), 3)
        20.0
    """
    check_shapes(first, second)
    error = float((first.double() - second.double()).square().mean())
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)
