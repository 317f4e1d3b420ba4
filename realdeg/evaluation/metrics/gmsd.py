"""Gradient magnitude similarity deviation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from realdeg.errors import DataError
from realdeg.evaluation.metrics.psnr import check_shapes

# The constant of the authors' code for values in 0..255, in units of 255 squared.
_CONSTANT = 170 / 255**2


def _gradient_magnitude(x: Tensor) -> Tensor:
    """Halve by 2 x 2 means, then take Prewitt gradients; zeros beyond the border."""
    height, width = x.shape[-2:]
    x = pad(x, (0, width % 2, 0, height % 2))
    x = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    x = pad(x, (1, 1, 1, 1))
    across, down = x[..., 2:] - x[..., :-2], x[:, 2:] - x[:, :-2]
    horizontal = (across[:, :-2] + across[:, 1:-1] + across[:, 2:]) / 3
    vertical = (down[..., :-2] + down[..., 1:-1] + down[..., 2:]) / 3
    return torch.hypot(horizontal, vertical)


def gmsd(first: Tensor, second: Tensor, *, data_range: float = 1.0) -> float:
    """Return the gradient magnitude similarity deviation: 0 for equal images, higher is worse.

    Args:
        first: Shape (C, H, W).
        second: Shape (C, H, W).
        data_range: 1 for tensors in [0, 1], 255 on the 8-bit scale.

    Returns:
        The standard deviation (unbiased, as MATLAB's ``std2``) of the similarity map, averaged
        over channels. The paper measures luma.

    Raises:
        DataError: If a side is below 3 px.
        ValueError: If the shapes differ.

    Source:
        Xue, Zhang, Mou, Bovik, IEEE TIP 2014 (``GMSD.m``: T = 170, Prewitt / 3).
    """
    check_shapes(first, second)
    if min(first.shape[-2:]) < 3:
        raise DataError(
            f"GMSD needs at least 3 px per side, got {first.shape[-2]} x {first.shape[-1]}."
        )
    x, y = _gradient_magnitude(first.double()), _gradient_magnitude(second.double())
    constant = _CONSTANT * data_range**2
    similarity = (2 * x * y + constant) / (x.square() + y.square() + constant)
    return float(similarity.flatten(1).std(dim=1).mean())
