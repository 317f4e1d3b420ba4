"""LPIPS as a metric, by the authors' package.

A measurement of many hours must not fail because LPIPS cannot be loaded, so callers catch
:class:`PerceptualUnavailableError` and continue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.evaluation.metrics.psnr import check_shapes
from realdeg.utils.lpips import PerceptualUnavailableError, load_lpips

__all__ = ["LPIPS_LABEL", "PerceptualUnavailableError", "load_lpips", "lpips_distance"]

LPIPS_LABEL = "alex-v0.1"


@torch.no_grad()
def lpips_distance(network: nn.Module, first: Tensor, second: Tensor) -> float:
    """Return the LPIPS distance: 0 for equal images, higher is worse.

    Args:
        network: What :func:`load_lpips` returned.
        first: RGB on the 0..255 scale, shape (3, H, W).
        second: RGB on the 0..255 scale, shape (3, H, W).

    Raises:
        ValueError: If the shapes differ.
    """
    check_shapes(first, second)
    x, y = ((image[None] / 127.5 - 1).float() for image in (first, second))
    return float(network(x, y))
