"""Moments of kernels, and shifts.

Kernels are correlation kernels, shape (k, k), indexed (row, column). Positions are in pixels,
relative to the middle of the window ``(k - 1) / 2``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MOST_ROUNDS = 50


def pad_kernel(kernel: Tensor, size: int) -> Tensor:
    """Surround a kernel with zeros, so that filtering gives the same result.

    The window of output pixel i starts at ``i + floor((1 - k) / 2)``. Where the sizes differ in
    parity, zeros are placed so that every weight keeps its pixel.

    Args:
        kernel: Shape (k, k).
        size: The new side in pixels, at least k.

    Returns:
        Shape (size, size), same dtype.

    Raises:
        ValueError: If the kernel is not square, or larger than ``size``.
    """
    k = _side(kernel, "pad_kernel")
    if size < k:
        raise ValueError(f"pad_kernel: a kernel of {k} pixels does not fit into {size}")
    first = (1 - k) // 2 - (1 - size) // 2
    padded = kernel.new_zeros(size, size)
    padded[first : first + k, first : first + k] = kernel
    return padded


def centroid(kernel: Tensor) -> tuple[float, float]:
    """Return the centre of mass.

    Args:
        kernel: Shape (k, k), sum not 0.

    Returns:
        (row, column) relative to the middle of the window, in pixels.

    Raises:
        ValueError: If the kernel is not square or sums to 0.
    """
    weights, axis = _mass(kernel, "centroid")
    return float(weights.sum(1) @ axis), float(weights.sum(0) @ axis)


def second_moments(kernel: Tensor) -> Tensor:
    """Return the covariance of the mass about its centroid.

    Args:
        kernel: Shape (k, k), sum not 0.

    Returns:
        float64, shape (2, 2): [[row-row, row-column], [column-row, column-column]], in pixels².

    Raises:
        ValueError: If the kernel is not square or sums to 0.
    """
    weights, axis = _mass(kernel, "second_moments")
    row, column = float(weights.sum(1) @ axis), float(weights.sum(0) @ axis)
    rows, columns = axis - row, axis - column
    mixed = rows @ weights @ columns
    return torch.stack(
        [weights.sum(1) @ rows.square(), mixed, mixed, weights.sum(0) @ columns.square()]
    ).view(2, 2)


def shift_kernel(kernel: Tensor, shift: tuple[float, float]) -> Tensor:
    """Shift a kernel by bilinear interpolation and normalise what stays in the window.

    A fraction f of a pixel adds f (1 - f) to the variance along that axis. Beyond the window the
    kernel is taken as 0.

    Args:
        kernel: Shape (k, k).
        shift: (rows, columns) in pixels by which the mass moves, towards greater indices.

    Returns:
        float64, shape (k, k), sum 1.

    Raises:
        ValueError: If the kernel is not square, the shift is not finite, or nothing stays.
    """
    k = _side(kernel, "shift_kernel")
    if not all(math.isfinite(s) for s in shift):
        raise ValueError(f"shift_kernel: the shift must be finite, got {shift}")
    by_rows, by_columns = (_shift_matrix(k, float(s)) for s in shift)
    moved = by_rows @ kernel.double() @ by_columns.T
    total = float(moved.sum())
    if abs(total) < 1e-12:
        raise ValueError(f"shift_kernel: a shift of {shift} leaves nothing of a {k} x {k} kernel")
    return moved / total


def shift_to_centroid(kernel: Tensor, target: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Shift a kernel until its centroid is at the target, within 1e-3 pixels.

    Mass that leaves the window moves the centroid back, so the shift is found by iteration. Each
    round starts from the given kernel, so that interpolation widens it only once.

    Args:
        kernel: Shape (k, k), sum not 0.
        target: (row, column) relative to the middle of the window, in pixels.

    Returns:
        float64, shape (k, k), sum 1.

    Raises:
        ValueError: If the target cannot be reached.
    """
    moved = kernel.double() / kernel.double().sum()
    shift = (0.0, 0.0)
    for _ in range(_MOST_ROUNDS):
        row, column = centroid(moved)
        rest = (target[0] - row, target[1] - column)
        if max(map(abs, rest)) < 1e-3:
            return moved
        shift = (shift[0] + rest[0], shift[1] + rest[1])
        moved = shift_kernel(kernel, shift)
    raise ValueError(
        f"shift_to_centroid: the centroid of a {kernel.shape[-1]} x {kernel.shape[-1]} kernel"
        f" cannot be moved to {target}"
    )


def _shift_matrix(k: int, shift: float) -> Tensor:
    """Return M with (M v)[i] = v at i - shift, linearly interpolated, 0 beyond the ends."""
    axis = torch.arange(k, dtype=torch.float64)
    distance = (axis[:, None] - shift - axis[None, :]).abs()
    return (1 - distance).clamp(min=0)


def _side(kernel: Tensor, where: str) -> int:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.shape[0] == 0:
        raise ValueError(f"{where}: a kernel has shape (k, k), got {tuple(kernel.shape)}")
    return int(kernel.shape[0])


def _mass(kernel: Tensor, where: str) -> tuple[Tensor, Tensor]:
    k = _side(kernel, where)
    weights = kernel.detach().double().cpu()
    total = float(weights.sum())
    if not math.isfinite(total) or abs(total) < 1e-12:
        raise ValueError(f"{where}: the kernel's sum is {total}, so it has no centre")
    return weights / total, torch.arange(k, dtype=torch.float64) - (k - 1) / 2
