"""Blur kernels as low-dimensional codes: SRMD's dimensionality stretching.

Zhang, Zuo, Zhang, CVPR 2018, section 3.3. A network's weights are tied to the basis that it was
trained with: the bases of other releases span other spaces.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.kernels import gaussian_kernel_from_variance

DIMENSIONS = 15
"""Length of a kernel's code."""

_KERNELS = 10_000
_VARIANCE = (0.1, 10.0)


@lru_cache(maxsize=8)
def degradation_pca(kernel_size: int = 15, dimensions: int = DIMENSIONS, seed: int = 0) -> Tensor:
    """Return the basis that kernels are projected to.

    As in the released training code: the leading eigenvectors of ``K K^T`` over 10,000 random
    anisotropic Gaussians (variances 0.1 to 10, any direction), without subtracting a mean, in
    ascending order of their eigenvalues. The sign makes the largest weight of each positive, so
    that they agree on all machines up to rounding (about 1e-9).

    Args:
        kernel_size: Side k of the kernels in pixels.
        dimensions: How many eigenvectors, at most k * k.
        seed: Seed of the random kernels.

    Returns:
        float64, shape (dimensions, k * k), orthonormal rows; kernels are laid out column by
        column, as in MATLAB. The tensor is cached: do not modify it.

    Raises:
        ValueError: If ``dimensions`` is out of range.
    """
    if not 1 <= dimensions <= kernel_size**2:
        raise ValueError(
            f"degradation_pca: kernels of {kernel_size} x {kernel_size} have no {dimensions}"
            " dimensions"
        )
    rng = np.random.default_rng(seed)
    low, high = _VARIANCE
    product = np.zeros((kernel_size**2, kernel_size**2))
    for _ in range(_KERNELS // 1000):
        kernels = np.empty((1000, kernel_size**2))
        for row in kernels:
            first = rng.uniform(low, high)
            second = rng.uniform(low, first)
            angle = rng.uniform(0, math.pi)
            kernel = gaussian_kernel_from_variance(kernel_size, first, second, angle)
            row[:] = kernel.numpy().ravel(order="F")
        product += kernels.T @ kernels
    _, vectors = np.linalg.eigh(product)
    basis = vectors[:, -dimensions:].T
    largest = np.abs(basis).argmax(1)
    basis = basis * np.sign(basis[np.arange(dimensions), largest])[:, None]
    return torch.from_numpy(np.ascontiguousarray(basis))


def encode_kernel(kernel: Tensor, basis: Tensor) -> Tensor:
    """Project a kernel to its code.

    Args:
        kernel: Shape (k, k).
        basis: Shape (d, k * k), as :func:`degradation_pca` returns it.

    Returns:
        The code, shape (d,), in the basis's dtype.

    Raises:
        ValueError: If the sizes do not match.
    """
    if kernel.ndim != 2 or basis.ndim != 2 or kernel.numel() != basis.shape[1]:
        raise ValueError(
            f"encode_kernel: a kernel of shape {tuple(kernel.shape)} does not fit a basis of shape"
            f" {tuple(basis.shape)}"
        )
    return basis @ kernel.T.reshape(-1).to(basis)


def decode_kernel(code: Tensor, basis: Tensor, kernel_size: int) -> Tensor:
    """Return the kernel that a code represents.

    Args:
        code: Shape (d,).
        basis: Shape (d, k * k).
        kernel_size: Side k.

    Returns:
        Shape (k, k), in the basis's dtype; it sums to approximately 1.

    Raises:
        ValueError: If the sizes do not match.
    """
    if basis.shape != (code.numel(), kernel_size**2):
        raise ValueError(
            f"decode_kernel: a code of {code.numel()} and kernels of {kernel_size} x {kernel_size}"
            f" do not fit a basis of shape {tuple(basis.shape)}"
        )
    return (basis.T @ code.to(basis)).reshape(kernel_size, kernel_size).T


def code_maps(codes: Tensor, height: int, width: int) -> Tensor:
    """Expand codes to maps, to be concatenated with an image.

    Args:
        codes: Shape (B, d), for a blur that is the same at every pixel.
        height: Rows of the LR image.
        width: Columns of the LR image.

    Returns:
        Shape (B, d, height, width), an expanded view.
    """
    return codes[:, :, None, None].expand(-1, -1, height, width)
