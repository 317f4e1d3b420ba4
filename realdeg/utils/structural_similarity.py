"""The maps of structural similarity, for the metric and for the loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of MS-SSIM, finest scale first (Wang, Simoncelli, Bovik, Asilomar 2003)."""
MS_SSIM_LEAST_SIDE = 11 * 2 ** (len(SCALE_WEIGHTS) - 1)
"""The smallest side whose coarsest scale holds a window, in pixels."""


def side_of(window: str) -> int:
    """Return the side of a window in pixels; see :func:`similarity_maps`."""
    return len(_window(window)[0])


def similarity_maps(
    x: Tensor, y: Tensor, data_range: float = 1.0, window: str = "gaussian-11"
) -> tuple[Tensor, Tensor]:
    """Return the SSIM map and its contrast-structure part, at valid positions only.

    Args:
        x: Images (..., H, W) in float32 or wider, not smaller than the window.
        y: The same shape.
        data_range: The dynamic range L: 1 for images in [0, 1].
        window: ``"gaussian-11"`` (sigma 1.5, biased moments) or ``"uniform-7"`` (unbiased).

    Raises:
        ValueError: If the window is unknown.

    Source:
        Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004: K1 0.01, K2 0.03.
    """
    taps, unbias = _window(window)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y, xx, yy, xy = _smooth(torch.stack((x, y, x * x, y * y, x * y)), taps)
    product = mean_x * mean_y
    squares = mean_x.square() + mean_y.square()
    contrast = (2 * unbias * (xy - product) + c2) / (unbias * (xx + yy - squares) + c2)
    return contrast * (2 * product + c1) / (squares + c1), contrast


def halve(x: Tensor) -> Tensor:
    """Return images (B, C, H, W) at the next coarser scale of MS-SSIM.

    A window cut by the border averages its part inside: the mean under mirroring.
    """
    return avg_pool2d(x, 2, ceil_mode=True)


def _window(kind: str) -> tuple[list[float], float]:
    """Return the window of one dimension and the factor of its second moments."""
    if kind == "gaussian-11":
        taps = torch.exp(-torch.arange(-5, 6, dtype=torch.float64).square() / (2 * 1.5**2))
        return (taps / taps.sum()).tolist(), 1.0
    if kind == "uniform-7":
        return [1 / 7] * 7, 49 / 48
    raise ValueError(f"the SSIM window is 'gaussian-11' or 'uniform-7', got {kind!r}")


def _smooth(x: Tensor, taps: list[float]) -> Tensor:
    """Apply a symmetric separable window, valid positions only; x is (..., H, W).

    Sums of shifted slices: on a CPU eight times as fast as a convolution of single channels,
    gradient included.
    """
    for dim in (-2, -1):
        size = x.shape[dim] - len(taps) + 1
        total = x.narrow(dim, 0, size) * taps[0]
        for index in range(1, len(taps)):
            total.add_(x.narrow(dim, index, size), alpha=taps[index])
        x = total
    return x
