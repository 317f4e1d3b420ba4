"""Structural similarity, single and multi-scale, in float64.

The local moments are computed in strips of a few rows, by sums of shifted slices. The working set
stays in the processor's cache, which is five times as fast as whole-image sums.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from realdeg.errors import DataError
from realdeg.evaluation.metrics.psnr import check_shapes

_STRIP_ROWS = 32
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_LEAST_SIDE = 11 * 2 ** (len(_SCALE_WEIGHTS) - 1)


def _window(kind: str) -> tuple[list[float], float]:
    """Return the window of one dimension and the factor of its second moments."""
    if kind == "gaussian-11":
        taps = torch.exp(-torch.arange(-5, 6, dtype=torch.float64).square() / (2 * 1.5**2))
        return (taps / taps.sum()).tolist(), 1.0
    if kind == "uniform-7":
        return [1 / 7] * 7, 49 / 48
    raise ValueError(f"the SSIM window is 'gaussian-11' or 'uniform-7', got {kind!r}")


def _filter(x: Tensor, taps: list[float]) -> Tensor:
    """Apply a symmetric separable window, valid positions only; x is (..., H, W)."""
    for dim in (-2, -1):
        size = x.shape[dim] - len(taps) + 1
        total = x.narrow(dim, 0, size) * taps[0]
        for index in range(1, len(taps)):
            total.add_(x.narrow(dim, index, size), alpha=taps[index])
        x = total
    return x


def _similarity(
    first: Tensor, second: Tensor, data_range: float, window: str
) -> tuple[float, float]:
    """Return the means of the SSIM map and of its contrast-structure part."""
    taps, unbias = _window(window)
    least = min(first.shape[-2:])
    if least < len(taps):
        raise DataError(
            f"SSIM with a {len(taps)} x {len(taps)} window needs at least {len(taps)} px per side,"
            f" got {first.shape[-2]} x {first.shape[-1]}."
        )
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    rows = first.shape[-2] - len(taps) + 1
    total = contrast_total = 0.0
    for top in range(0, rows, _STRIP_ROWS):
        span = slice(top, min(top + _STRIP_ROWS, rows) + len(taps) - 1)
        x, y = first[:, span].double(), second[:, span].double()
        mean_x, mean_y, xx, yy, xy = _filter(torch.stack((x, y, x * x, y * y, x * y)), taps)
        product = mean_x * mean_y
        squares = mean_x.square() + mean_y.square()
        contrast = (2 * unbias * (xy - product) + c2) / (unbias * (xx + yy - squares) + c2)
        contrast_total += float(contrast.sum())
        total += float((contrast * (2 * product + c1) / (squares + c1)).sum())
    count = first.shape[0] * rows * (first.shape[-1] - len(taps) + 1)
    return total / count, contrast_total / count


def ssim(
    first: Tensor,
    second: Tensor,
    *,
    data_range: float = 1.0,
    window: str = "gaussian-11",
) -> float:
    """Return the structural similarity index, the mean over channels and valid positions.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        data_range: The dynamic range L: 1 for tensors in [0, 1], 255 on the 8-bit scale.
        window: ``"gaussian-11"`` (sigma 1.5, biased moments) or ``"uniform-7"`` (unbiased
            moments, the default of scikit-image).

    Returns:
        At most 1, which equal images reach.

    Raises:
        DataError: If the images are smaller than the window.
        ValueError: If the shapes differ or the window is unknown.

    Source:
        Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004 (``ssim_index.m``, without the automatic
        downsampling of ``ssim.m``).
    """
    check_shapes(first, second)
    return _similarity(first, second, data_range, window)[0]


def ms_ssim(first: Tensor, second: Tensor, *, data_range: float = 1.0) -> float:
    """Return the multi-scale structural similarity of five scales.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        data_range: The dynamic range L: 1 for tensors in [0, 1], 255 on the 8-bit scale.

    Returns:
        At most 1, averaged over channels. A scale with negative mean contrast counts as 0, because
        its power would not be real.

    Raises:
        DataError: If a side is below 176 px: the coarsest of five scales would be smaller than
            the window.
        ValueError: If the shapes differ.

    Source:
        Wang, Simoncelli, Bovik, Asilomar 2003 (``msssim.m``: 2 x 2 mean with mirrored border,
        every second pixel, weights .0448 .2856 .3001 .2363 .1333).
    """
    check_shapes(first, second)
    if min(first.shape[-2:]) < MS_SSIM_LEAST_SIDE:
        raise DataError(
            f"MS-SSIM needs at least {MS_SSIM_LEAST_SIDE} px per side,"
            f" got {first.shape[-2]} x {first.shape[-1]}."
        )
    values = [
        _ms_ssim_channel(x[None].double(), y[None].double(), data_range)
        for x, y in zip(first, second, strict=True)
    ]
    return sum(values) / len(values)


def _ms_ssim_channel(x: Tensor, y: Tensor, data_range: float) -> float:
    result = 1.0
    for level, weight in enumerate(_SCALE_WEIGHTS):
        if level:
            # A window cut by the border averages its part inside: the mean under mirroring.
            x, y = (avg_pool2d(z[None], 2, ceil_mode=True)[0] for z in (x, y))
        similarity, contrast = _similarity(x, y, data_range, "gaussian-11")
        coarsest = level == len(_SCALE_WEIGHTS) - 1
        result *= max(similarity if coarsest else contrast, 0.0) ** weight
    return result
