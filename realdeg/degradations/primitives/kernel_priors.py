"""What is known of a blur kernel before it is estimated, as penalties on its taps.

Source:
    Bell-Kligler, Shocher, Irani, Blind Super-Resolution Kernel Estimation using an Internal-GAN,
    NeurIPS 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor

BOUNDARY_MARGIN = 2
"""The rings of taps at the border of a kernel that are penalised."""
BOUNDARY_HEIGHT = 30.0
SPARSITY_POWER = 0.2
_LEAST_TAP = 1e-12


def sum_penalty(kernels: Tensor) -> Tensor:
    """Return ``|1 - sum k|``.

    Args:
        kernels: Shape (..., k, k).

    Returns:
        Shape (...).
    """
    return (1 - kernels.sum((-2, -1))).abs()


def boundary_penalty(kernels: Tensor, weights: Tensor) -> Tensor:
    """Return ``mean |w k|``.

    Args:
        kernels: Shape (..., k, k).
        weights: From :func:`boundary_weights`, shape (k, k).

    Returns:
        Shape (...).
    """
    return (kernels * weights).abs().mean((-2, -1))


def boundary_weights(size: int, margin: int = BOUNDARY_MARGIN) -> Tensor:
    """Return 30 (1 - Gaussian of sigma k) on the outer rings of taps, else 0.

    Args:
        size: Side k of the kernel.
        margin: How many rings.

    Returns:
        Shape (k, k), float32.
    """
    axis = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    bell = torch.exp(-0.5 * (axis / size).square())
    weights = BOUNDARY_HEIGHT * (1 - torch.outer(bell, bell))
    weights[margin : size - margin, margin : size - margin] = 0
    return weights


def sparsity_penalty(kernels: Tensor, power: float = SPARSITY_POWER) -> Tensor:
    """Return ``mean |k|^p``; taps below 1e-12 count as 1e-12, where the gradient is 0.

    Args:
        kernels: Shape (..., k, k).
        power: p, below 1 so that few strong taps cost less than many weak ones.

    Returns:
        Shape (...).
    """
    return kernels.abs().clamp_min(_LEAST_TAP).pow(power).mean((-2, -1))


def centre_penalty(kernels: Tensor, centre: float, axis: Tensor | None = None) -> Tensor:
    """Return the mean squared distance of the centre of mass from a point, over both axes.

    Args:
        kernels: Shape (..., k, k), with a sum that is not 0.
        centre: Where the mass belongs on both axes, in taps from the middle of the window.
        axis: The offsets of the taps from the middle, (k,), if they are at hand.

    Returns:
        Shape (...).
    """
    size = kernels.shape[-1]
    if axis is None:
        axis = torch.arange(size, dtype=kernels.dtype, device=kernels.device) - (size - 1) / 2
    mass = kernels / kernels.sum((-2, -1), keepdim=True)
    place = torch.stack([mass.sum(-1) @ axis, mass.sum(-2) @ axis])
    return (place - centre).square().mean(0)
