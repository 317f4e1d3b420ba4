"""Blur kernels as tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_kernel(
    kernel_size: int,
    sigma_x: float,
    sigma_y: float | None = None,
    angle: float = 0.0,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Return a Gaussian sampled at pixel centres, summing to 1.

    Args:
        kernel_size: Side k in pixels.
        sigma_x: Standard deviation along the first axis of the ellipse, in pixels.
        sigma_y: The other standard deviation; ``None`` makes the kernel isotropic.
        angle: Rotation of the ellipse, in radians, from the column axis towards the row axis.
        centre: (row, column) of the centroid relative to the middle of the window
            ``(k - 1) / 2``, in pixels.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If a sigma is not positive.
    """
    sigma_y = sigma_x if sigma_y is None else sigma_y
    if min(sigma_x, sigma_y) <= 0:
        raise ValueError(f"gaussian_kernel: sigmas must be positive, got {sigma_x}, {sigma_y}")
    middle = (kernel_size - 1) / 2
    axis = torch.arange(kernel_size, dtype=torch.float64) - middle
    rows = (axis - centre[0])[:, None]
    columns = (axis - centre[1])[None, :]
    along = math.cos(angle) * columns + math.sin(angle) * rows
    across = -math.sin(angle) * columns + math.cos(angle) * rows
    # The exponent's maximum is taken out, so that very narrow off-centre kernels do not vanish.
    exponent = -0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2)
    kernel = torch.exp(exponent - exponent.max())
    return kernel / kernel.sum()


def centre_rest(kernel_size: int, stride: int) -> float:
    """Return how far an LR pixel's centre lies beyond the middle of its window, per axis.

    The window of LR pixel i starts at ``stride * i + floor((stride - k) / 2)``, the pixel lies at
    ``stride * i + (stride - 1) / 2``.

    Args:
        kernel_size: Side k of the window in HR pixels.
        stride: HR pixels per LR pixel on the grid.

    Returns:
        0, or half a pixel where ``stride - k`` is odd.
    """
    return (stride - kernel_size) / 2 - (stride - kernel_size) // 2
