"""Structural similarity, single and multi-scale, in float64.

The maps are computed in strips of a few rows, by sums of shifted slices. The working set
stays in the processor's cache, which is five times as fast as whole-image sums.
"""

from __future__ import annotations

from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation.metrics.psnr import check_shapes
from realdeg.utils.structural_similarity import (
    MS_SSIM_LEAST_SIDE,
    SCALE_WEIGHTS,
    halve,
    side_of,
    similarity_maps,
)

_STRIP_ROWS = 32


def _similarity(
    first: Tensor, second: Tensor, data_range: float, window: str, floor: float
) -> tuple[float, float]:
    """Return the means of the SSIM map and of its contrast-structure part."""
    side = side_of(window)
    if min(first.shape[-2:]) < side:
        raise DataError(
            f"SSIM with a {side} x {side} window needs at least {side} px per side,"
            f" got {first.shape[-2]} x {first.shape[-1]}."
        )
    rows = first.shape[-2] - side + 1
    total = contrast_total = 0.0
    for top in range(0, rows, _STRIP_ROWS):
        span = slice(top, min(top + _STRIP_ROWS, rows) + side - 1)
        x, y = first[:, span].double(), second[:, span].double()
        similarity, contrast = similarity_maps(x, y, data_range, window)
        # The luminance part is positive for levels, so both maps are negative at the same places.
        if floor == 0:
            contrast, similarity = contrast.clamp_(min=0), similarity.clamp_(min=0)
        contrast_total += float(contrast.sum())
        total += float(similarity.sum())
    count = first.shape[0] * rows * (first.shape[-1] - side + 1)
    return total / count, contrast_total / count


def ssim(
    first: Tensor,
    second: Tensor,
    *,
    data_range: float = 1.0,
    window: str = "gaussian-11",
    floor: float = -1,
) -> float:
    """Return the structural similarity index, the mean over channels and valid positions.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        data_range: The dynamic range L: 1 for tensors in [0, 1], 255 on the 8-bit scale.
        window: ``"gaussian-11"`` (sigma 1.5, biased moments) or ``"uniform-7"`` (unbiased
            moments, the default of scikit-image).
        floor: 0 counts places of negative contrast-structure as 0, as pyiqa does; -1 as they are.

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
    return _similarity(first, second, data_range, window, floor)[0]


def ms_ssim(first: Tensor, second: Tensor, *, data_range: float = 1.0, floor: float = -1) -> float:
    """Return the multi-scale structural similarity of five scales.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        data_range: The dynamic range L: 1 for tensors in [0, 1], 255 on the 8-bit scale.
        floor: As for :func:`ssim`.

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
        _ms_ssim_channel(x[None].double(), y[None].double(), data_range, floor)
        for x, y in zip(first, second, strict=True)
    ]
    return sum(values) / len(values)


def _ms_ssim_channel(x: Tensor, y: Tensor, data_range: float, floor: float) -> float:
    result = 1.0
    for level, weight in enumerate(SCALE_WEIGHTS):
        if level:
            x, y = (halve(z[None])[0] for z in (x, y))
        similarity, contrast = _similarity(x, y, data_range, "gaussian-11", floor)
        coarsest = level == len(SCALE_WEIGHTS) - 1
        result *= max(similarity if coarsest else contrast, 0.0) ** weight
    return result
