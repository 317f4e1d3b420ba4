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
_KERNELS_OF_DAN = 30_000


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


@lru_cache(maxsize=8)
def gaussian_pca(
    kernel_size: int = 21,
    dimensions: int = 10,
    sigma: tuple[float, float] = (0.2, 4.0),
    anisotropic: bool = False,
    disturbance: float = 0.0,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return the centred basis of IKC and DAN, and the mean kernel.

    The leading principal directions of 30,000 random Gaussians, in descending order of variance;
    the mean is subtracted to find them, but not to encode a kernel, so a code is ``basis @ kernel``
    and a kernel is ``mean + basis^T (code - basis @ mean)``. The sign makes the largest weight of
    each direction positive. With the defaults the directions are those of the published
    ``pca_matrix.pth`` up to their sign, to four digits.

    Args:
        kernel_size: Side k of the kernels in pixels.
        dimensions: How many directions, at most k * k.
        sigma: The standard deviations that are drawn, in pixels.
        anisotropic: Whether each axis has its own, and any direction.
        disturbance: The largest random factor d: each weight is multiplied by 1 to 1 + d.
        seed: Seed of the random kernels.

    Returns:
        float64: the basis (dimensions, k * k) with orthonormal rows, and the mean kernel (k * k),
        row by row. The tensors are cached: do not modify them.

    Raises:
        ValueError: If ``dimensions`` is out of range.

    Source:
        creat_PCA.py and utils/deg_utils.py of greatlog/DAN (4c4de00).
    """
    if not 1 <= dimensions <= kernel_size**2:
        raise ValueError(
            f"gaussian_pca: kernels of {kernel_size} x {kernel_size} have no {dimensions}"
            " dimensions"
        )
    rng = np.random.default_rng(seed)
    count, mean = kernel_size**2, np.zeros(kernel_size**2)
    product = np.zeros((count, count))
    chunk = 500
    for _ in range(_KERNELS_OF_DAN // chunk):
        kernels = _gaussians(rng, chunk, kernel_size, sigma, anisotropic)
        if disturbance:
            kernels *= 1 + rng.uniform(0, disturbance, kernels.shape)
        kernels /= kernels.sum(1, keepdims=True)
        product += kernels.T @ kernels
        mean += kernels.sum(0)
    mean /= _KERNELS_OF_DAN
    _, vectors = np.linalg.eigh(product / _KERNELS_OF_DAN - np.outer(mean, mean))
    basis = vectors[:, ::-1][:, :dimensions].T
    largest = np.abs(basis).argmax(1)
    basis = basis * np.sign(basis[np.arange(dimensions), largest])[:, None]
    return torch.from_numpy(np.ascontiguousarray(basis)), torch.from_numpy(mean)


def _gaussians(
    rng: np.random.Generator,
    number: int,
    size: int,
    sigma: tuple[float, float],
    anisotropic: bool,
) -> np.ndarray:
    """Draw Gaussians (number, size * size), not normalised."""
    place = np.arange(size) - (size - 1) / 2
    x, y = place[None, None, :], place[None, :, None]
    first = rng.uniform(*sigma, (number, 1, 1))
    if not anisotropic:
        return np.exp(-(x**2 + y**2) / (2 * first**2)).reshape(number, -1)
    second = rng.uniform(*sigma, (number, 1, 1))
    angle = rng.uniform(-math.pi, math.pi, (number, 1, 1))
    along = (np.cos(angle) * x + np.sin(angle) * y) / first
    across = (np.cos(angle) * y - np.sin(angle) * x) / second
    return np.exp(-(along**2 + across**2) / 2).reshape(number, -1)
