"""LPIPS, by the authors' package, and ST-LPIPS, with the weights of theirs, as metrics.

A measurement of many hours must not fail because one of them cannot be loaded, so callers catch
:class:`PerceptualUnavailableError` and continue.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from realdeg.evaluation.metrics.psnr import check_shapes
from realdeg.utils.lpips import PerceptualUnavailableError, load_lpips
from realdeg.utils.st_lpips import load_st_lpips

__all__ = [
    "LPIPS_LABEL",
    "PerceptualUnavailableError",
    "StLpipsNetwork",
    "load_lpips",
    "load_st_lpips",
    "lpips_distance",
    "st_lpips_label",
]

LPIPS_LABEL = "alex-v0.1"
StLpipsNetwork = Literal["alex", "vgg"]


def st_lpips_label(network: StLpipsNetwork) -> str:
    """Return the name of ST-LPIPS's protocol: network and release of the weights.

    Args:
        network: The trunk.
    """
    return f"{network}-vST0.0"


@torch.no_grad()
def lpips_distance(network: nn.Module, first: Tensor, second: Tensor) -> float:
    """Return the LPIPS or ST-LPIPS distance: 0 for equal images, higher is worse.

    Args:
        network: What :func:`load_lpips` or :func:`load_st_lpips` returned.
        first: RGB on the 0..255 scale, shape (3, H, W).
        second: RGB on the 0..255 scale, shape (3, H, W).

    Raises:
        ValueError: If the shapes differ.
    """
    check_shapes(first, second)
    x, y = ((image[None] / 127.5 - 1).float() for image in (first, second))
    return float(network(x, y))
