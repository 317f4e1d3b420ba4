"""Blur kernels as tensors: float64, shape (k, k), sum 1, in correlation orientation.

Angles are in radians from the column axis (right) towards the row axis (down). Computed in NumPy,
which has less overhead than torch for so few numbers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

LARGEST_KERNEL = 255
SUM_TOLERANCE = 1e-3  # by which the sum of a given kernel may differ from 1
"""Maximum side of a kernel in a record, in pixels."""


def gaussian_kernel(
    kernel_size: int,
    sigma_x: float,
    sigma_y: float | None = None,
    angle: float = 0.0,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Return a Gaussian sampled at pixel centres, summing to 1.

    Args:
        kernel_size: Side k in pixels.
        sigma_x: Standard deviation along the first axis of the ellipse, in pixels.
        sigma_y: The other standard deviation; ``None`` makes the kernel isotropic.
        angle: Rotation of the ellipse, in radians, from the column axis towards the row axis.
        centre: (row, column) of the centroid relative to the middle of the window
            ``(k - 1) / 2``, in pixels.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If a sigma is not positive.
    """
    sigma_y = sigma_x if sigma_y is None else sigma_y
    if min(sigma_x, sigma_y) <= 0:
        raise ValueError(f"gaussian_kernel: sigmas must be positive, got {sigma_x}, {sigma_y}")
    return _normalise(-0.5 * _ellipse(kernel_size, sigma_x, sigma_y, angle, centre))


def gaussian_kernel_from_variance(
    kernel_size: int,
    variance_x: float,
    variance_y: float | None = None,
    angle: float = 0.0,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Return a Gaussian given by the eigenvalues of its covariance, as SRMD and BSRGAN draw it.

    Args:
        kernel_size: Side k in pixels.
        variance_x: Variance along the first axis of the ellipse, in pixels².
        variance_y: The other variance; ``None`` makes the kernel isotropic.
        angle: Rotation of the ellipse, in radians, from the column axis towards the row axis.
        centre: See :func:`gaussian_kernel`.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If a variance is not positive.
    """
    variance_y = variance_x if variance_y is None else variance_y
    if min(variance_x, variance_y) <= 0:
        raise ValueError(
            "gaussian_kernel_from_variance: variances must be positive, got"
            f" {variance_x}, {variance_y}"
        )
    sigmas = math.sqrt(variance_x), math.sqrt(variance_y)
    return gaussian_kernel(kernel_size, *sigmas, angle, centre)


def generalised_gaussian_kernel(
    kernel_size: int, sigma_x: float, sigma_y: float, angle: float, beta: float
) -> Tensor:
    """Return exp(-q**beta / 2), q the squared distance in sigmas.

    Liu et al., "Estimating generalized Gaussian blur kernels for out-of-focus image deblurring",
    TCSVT 2020; used by Real-ESRGAN (Wang et al., ICCVW 2021).

    Args:
        kernel_size: Side k in pixels.
        sigma_x: Scale along the first axis of the ellipse, in pixels.
        sigma_y: Scale along the other axis, in pixels.
        angle: Rotation of the ellipse, in radians, from the column axis towards the row axis.
        beta: Shape, positive: 1 is the Gaussian, less is more peaked, more is flatter.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If a sigma or beta is not positive.
    """
    _check_positive("generalised_gaussian_kernel", sigma_x, sigma_y, beta)
    with np.errstate(over="ignore"):  # far from a narrow peak, where the kernel is 0
        exponent = -0.5 * _ellipse(kernel_size, sigma_x, sigma_y, angle) ** beta
    return _normalise(exponent)


def plateau_kernel(
    kernel_size: int, sigma_x: float, sigma_y: float, angle: float, beta: float
) -> Tensor:
    """Return 1 / (1 + q**beta), q the squared distance in sigmas.

    Used by Real-ESRGAN (Wang et al., ICCVW 2021).

    Args:
        kernel_size: Side k in pixels.
        sigma_x: Scale along the first axis of the ellipse, in pixels.
        sigma_y: Scale along the other axis, in pixels.
        angle: Rotation of the ellipse, in radians, from the column axis towards the row axis.
        beta: Steepness of the plateau's edge, positive.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If a sigma or beta is not positive.
    """
    _check_positive("plateau_kernel", sigma_x, sigma_y, beta)
    with np.errstate(divide="ignore"):  # the middle of an odd window is at distance 0
        logarithm = beta * np.log(_ellipse(kernel_size, sigma_x, sigma_y, angle))
    return _normalise(-np.logaddexp(0.0, logarithm))


def sinc_kernel(kernel_size: int, cutoff: float) -> Tensor:
    """Return the ideal circular low-pass filter, truncated to the window: it rings.

    cutoff J1(cutoff r) / (2 pi r); Real-ESRGAN (Wang et al., ICCVW 2021, equation 3).

    Args:
        kernel_size: Side k in pixels.
        cutoff: Cut-off frequency in radians per pixel, above 0, at most pi.

    Returns:
        float64, shape (k, k), with negative values.

    Raises:
        ValueError: If the cut-off is out of range.
    """
    if not 0 < cutoff <= math.pi:
        raise ValueError(f"sinc_kernel: the cut-off is in (0, pi], got {cutoff}")
    axis = _axis(kernel_size)
    radius = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy()
    middle = radius == 0
    kernel = cutoff * bessel / (2 * math.pi * np.where(middle, 1.0, radius))
    kernel[middle] = cutoff**2 / (4 * math.pi)
    return torch.from_numpy(kernel / kernel.sum())


def motion_kernel(kernel_size: int, length: float, angle: float, curvature: float = 0.0) -> Tensor:
    """Return the blur of a point that moves at constant speed along a line or an arc.

    The path's centroid is the middle of the window; it is drawn with bilinear weights, which keep
    the centroid.

    Args:
        kernel_size: Side k in pixels.
        length: Length of the path in pixels, from 0 up to what fits into the window.
        angle: Direction at the middle of the path, in radians, from the column axis towards the
            row axis.
        curvature: 1 / radius of the arc, in 1 / pixels; 0 is a straight line.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If the length is negative or the path leaves the window.
    """
    if not 0 <= length <= 2 * LARGEST_KERNEL or not math.isfinite(angle * curvature):
        raise ValueError(
            f"motion_kernel: length {length}, angle {angle} or curvature {curvature} is out of"
            " range"
        )
    # Midpoints of many short segments: their mean is the path's centroid.
    pieces = max(16, math.ceil(16 * length))
    t = ((np.arange(pieces) + 0.5) / pieces - 0.5) * length
    turn = curvature * t
    # sin(ct)/c and (1 - cos(ct))/c without dividing by a curvature of 0.
    along = t * np.sinc(turn / math.pi)
    across = 0.5 * turn * t * np.sinc(turn / (2 * math.pi)) ** 2
    columns = math.cos(angle) * along - math.sin(angle) * across
    rows = math.sin(angle) * along + math.cos(angle) * across
    rows, columns = rows - rows.mean(), columns - columns.mean()
    axis = _axis(kernel_size)
    middle = (kernel_size - 1) / 2
    if max(np.abs(rows).max(), np.abs(columns).max()) > middle + 1e-9:
        raise ValueError(
            f"motion_kernel: a path of {length} pixels leaves a window of {kernel_size}"
        )
    by_rows = np.maximum(1 - np.abs(rows[:, None] - axis), 0)
    by_columns = np.maximum(1 - np.abs(columns[:, None] - axis), 0)
    return _positive(by_rows.T @ by_columns)


def disk_kernel(kernel_size: int, radius: float) -> Tensor:
    """Return the blur of an out-of-focus lens: the share of each pixel inside a circle.

    The area is exact, as in MATLAB's ``fspecial("disk")``.

    Args:
        kernel_size: Side k in pixels.
        radius: Radius of the circle in pixels, positive.

    Returns:
        float64, shape (k, k).

    Raises:
        ValueError: If the radius is not positive.
    """
    if not 0 < radius < math.inf:
        raise ValueError(f"disk_kernel: the radius must be positive, got {radius}")
    # Pixel edges, in radii; the area up to a corner (x, y) is odd in x and in y.
    edge = np.arange(_positive_size(kernel_size) + 1) - kernel_size / 2
    edge = np.clip(edge / radius, -1, 1)
    x, y = np.abs(edge)[:, None], np.abs(edge)[None, :]
    bend = np.sqrt(1 - y * y)

    def under(t: np.ndarray) -> np.ndarray:
        area: np.ndarray = 0.5 * (t * np.sqrt(1 - t * t) + np.arcsin(t))
        return area

    area = np.where(x > bend, y * bend + under(x) - under(bend), x * y)
    area *= np.sign(edge)[:, None] * np.sign(edge)[None, :]
    return _positive(np.diff(np.diff(area, axis=0), axis=1))


def delta_kernel(kernel_size: int) -> Tensor:
    """Return the identity kernel.

    Args:
        kernel_size: Side k in pixels, odd or even.

    Returns:
        float64, shape (k, k): 1 at index ``k // 2``, the window's own pixel.
    """
    kernel = torch.zeros(_positive_size(kernel_size), kernel_size, dtype=torch.float64)
    kernel[kernel_size // 2, kernel_size // 2] = 1
    return kernel


def _positive_size(kernel_size: int) -> int:
    if kernel_size < 1:
        raise ValueError(f"a kernel's side is at least 1 pixel, got {kernel_size}")
    return kernel_size


def _axis(kernel_size: int) -> np.ndarray:
    return np.arange(_positive_size(kernel_size)) - (kernel_size - 1) / 2


def _ellipse(
    kernel_size: int,
    sigma_x: float,
    sigma_y: float,
    angle: float,
    centre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Return the squared distance from the centre in sigmas, shape (k, k)."""
    axis = _axis(kernel_size)
    rows, columns = (axis - centre[0])[:, None], (axis - centre[1])[None, :]
    along = math.cos(angle) * columns + math.sin(angle) * rows
    across = -math.sin(angle) * columns + math.cos(angle) * rows
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _normalise(exponent: np.ndarray) -> Tensor:
    # The maximum is subtracted, so that very narrow off-centre kernels do not vanish.
    greatest = exponent.max()
    return _positive(np.exp(exponent - greatest if math.isfinite(greatest) else exponent))


def _positive(kernel: np.ndarray) -> Tensor:
    total = float(kernel.sum())
    if not 0 < total < math.inf:
        raise ValueError("a kernel with these arguments vanishes or overflows everywhere")
    return torch.from_numpy(kernel / total)


def _check_positive(where: str, *values: float) -> None:
    if min(values) <= 0:
        raise ValueError(f"{where}: sigmas and beta must be positive, got {values}")
