"""Filtering with one kernel per image, as correlation.

There are three ways, chosen by kernel and size only: two one-dimensional passes for separable
kernels (such as every isotropic Gaussian), a direct sum for small kernels, and the Fourier
transform for the others. They agree within 1e-6 of the image's range. On the CPU, in float32 and
without a gradient, OpenCV replaces torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.borders import (
    CV2_BORDERS,
    check_image,
    known_padding,
    on_cpu_without_gradient,
    pad,
)
from realdeg.utils.deprecation import renamed_argument

# Up to this side the direct sum is faster than a transform (measured on 100 to 1000 pixels).
_DIRECT_SIDE = 11

# Beyond this many pixels a transform of the whole image exceeds the cache; OpenCV's tiles win.
_WHOLE_TRANSFORM = 1 << 20

# Sum of |kernel - column x row| up to which a kernel counts as separable; it bounds the error of an
# image in [0, 1].
_SEPARABLE = 1e-6


@renamed_argument("border", "padding")
def filter_image(x: Tensor, kernels: Tensor, padding: str = "reflect") -> Tensor:
    """Correlate images with kernels; nothing is clipped.

    The window of pixel i starts at ``i + floor((1 - k) / 2)``: an odd kernel is centred, an even
    one lies half a pixel up and left. Differentiable in x, not in the kernels.

    Args:
        x: Images, shape (B, C, H, W), of any size, even smaller than the kernel.
        kernels: One kernel (k, k) for all images, or one each, (B, k, k); k odd or even.
        padding: One of ``PADDINGS``; ``"reflect"`` does not repeat the edge pixel,
            ``"symmetric"`` does.

    Returns:
        Shape (B, C, H, W), same dtype.

    Raises:
        ValueError: If a shape does not match or the padding is unknown.
    """
    check_image("filter_image", x)
    padding = known_padding("filter_image", padding)
    batch = x.shape[0]
    if kernels.ndim not in (2, 3) or kernels.shape[-1] != kernels.shape[-2]:
        raise ValueError(
            f"filter_image: kernels are (k, k) or (B, k, k), got {tuple(kernels.shape)}"
        )
    if kernels.shape[-1] == 0 or (kernels.ndim == 3 and kernels.shape[0] != batch):
        raise ValueError(
            f"filter_image: {tuple(kernels.shape)} kernels do not fit a batch of {batch}"
        )
    if batch == 0:
        return x.clone()
    if kernels.ndim == 2:
        return _filter(x, kernels, padding)
    if not on_cpu_without_gradient(x):
        return _together(x, kernels, padding)
    return torch.cat([_filter(x[i : i + 1], kernels[i], padding) for i in range(batch)])


@renamed_argument("border", "padding")
def separable_filter(
    x: Tensor, row_kernel: Tensor, column_kernel: Tensor, padding: str = "reflect"
) -> Tensor:
    """Correlate every row with one vector of weights and every column with another.

    Equal to :func:`filter_image` with ``column_kernel[:, None] * row_kernel``, if both have the
    same length. Differentiable in x, not in the weights.

    Args:
        x: Images, shape (B, C, H, W).
        row_kernel: Weights along a row, shape (k,).
        column_kernel: Weights along a column, shape (m,).
        padding: As in :func:`filter_image`.

    Returns:
        Shape (B, C, H, W), same dtype.

    Raises:
        ValueError: If a shape does not match or the padding is unknown.
    """
    check_image("separable_filter", x)
    padding = known_padding("separable_filter", padding)
    if (
        row_kernel.ndim != 1
        or column_kernel.ndim != 1
        or 0 in (len(row_kernel), len(column_kernel))
    ):
        raise ValueError(
            f"separable_filter takes two vectors of weights, got shapes {tuple(row_kernel.shape)}"
            f" and {tuple(column_kernel.shape)}"
        )
    if x.shape[0] == 0:
        return x.clone()
    return _separable(x, _array(row_kernel), _array(column_kernel), padding)


@renamed_argument("border", "padding")
def gaussian_blur(
    x: Tensor, sigma: float, kernel_size: int | None = None, padding: str = "reflect"
) -> Tensor:
    """Blur by an isotropic Gaussian sampled at pixel centres. Differentiable.

    Args:
        x: Images, shape (B, C, H, W).
        sigma: Standard deviation in pixels, positive.
        kernel_size: Side of the window, odd; ``None`` takes four sigmas to each side.
        padding: As in :func:`filter_image`.

    Returns:
        Shape (B, C, H, W), same dtype.

    Raises:
        ValueError: If sigma is not positive or the size is even.
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"gaussian_blur: sigma must be positive, got {sigma}")
    if kernel_size is None:
        kernel_size = 2 * math.ceil(4 * sigma) + 1
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"gaussian_blur: kernel_size is odd, got {kernel_size}")
    weights = torch.from_numpy(gaussian_weights(kernel_size, float(sigma)))
    return separable_filter(x, weights, weights, padding)


@lru_cache(maxsize=64)
def gaussian_weights(kernel_size: int, sigma: float) -> np.ndarray:
    """Return a Gaussian's exactly symmetric weights, (kernel_size,), float64, sum 1.

    The array is cached: do not modify it.
    """
    weights = np.exp(-0.5 * ((np.arange(kernel_size) - (kernel_size - 1) / 2) / sigma) ** 2)
    normalised: np.ndarray = weights / weights.sum()
    return normalised


def _array(weights: Tensor) -> np.ndarray:
    return weights.detach().to("cpu", torch.float64).numpy()


def _filter(x: Tensor, kernel: Tensor, padding: str) -> Tensor:
    """Filter a batch with one kernel."""
    array = _array(kernel)
    parts = _column_and_row(array)
    if parts is not None:
        return _separable(x, parts[1], parts[0], padding)
    if not on_cpu_without_gradient(x):
        return _together(x, kernel, padding)
    if len(array) <= _DIRECT_SIDE or x.shape[-2] * x.shape[-1] > _WHOLE_TRANSFORM:
        return _direct_opencv(x, array, padding)
    return _by_transform(x, torch.from_numpy(array).to(x), padding)


def _column_and_row(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Split a kernel into column and row, if it is separable."""
    total = kernel.sum()
    if abs(total) < 1e-6:
        return None
    column, row = kernel.sum(1), kernel.sum(0) / total
    if np.abs(kernel - np.outer(column, row)).sum() > _SEPARABLE:
        return None
    return column, row


def _separable(x: Tensor, row: np.ndarray, column: np.ndarray, padding: str) -> Tensor:
    if on_cpu_without_gradient(x):
        return _separable_opencv(x, row, column, padding)
    channels = x.shape[1]
    for axis, weights in ((-1, row), (-2, column)):
        k = len(weights)
        shape = (channels, 1, 1, k) if axis == -1 else (channels, 1, k, 1)
        vector = torch.from_numpy(weights).to(x).view(shape[-2:]).expand(shape)
        reach = _reach(k)
        padded = pad(x, (0, 0), reach, padding) if axis == -1 else pad(x, reach, (0, 0), padding)
        x = F.conv2d(padded, vector, groups=channels)
    return x


def _separable_opencv(x: Tensor, row: np.ndarray, column: np.ndarray, padding: str) -> Tensor:
    row, column = _even(row), _even(column)
    anchor = (len(row) // 2, len(column) // 2)

    def run(source: np.ndarray, target: np.ndarray, mode: int) -> None:
        cv2.sepFilter2D(source, -1, row, column, target, anchor, 0, mode)

    return _planes(x, (len(column), len(row)), padding, run)


def _direct_opencv(x: Tensor, kernel: np.ndarray, padding: str) -> Tensor:
    weights = kernel.astype(np.float32)
    anchor = (len(kernel) // 2, len(kernel) // 2)

    def run(source: np.ndarray, target: np.ndarray, mode: int) -> None:
        cv2.filter2D(source, -1, weights, target, anchor, 0, mode)

    return _planes(x, kernel.shape, padding, run)


def _together(x: Tensor, kernels: Tensor, padding: str) -> Tensor:
    """Filter a batch with kernels (B, k, k) or (k, k), by operations on the whole batch."""
    k = int(kernels.shape[-1])
    weights = kernels.detach().to(x)
    if k > _DIRECT_SIDE:
        return _by_transform(x, weights, padding)
    batch, channels, height, width = x.shape
    padded = pad(x, _reach(k), _reach(k), padding)
    # Every plane is its own group.
    weights = weights.expand(batch, k, k).repeat_interleave(channels, 0)[:, None]
    planes = padded.reshape(1, batch * channels, *padded.shape[-2:])
    return F.conv2d(planes, weights, groups=batch * channels).view(batch, channels, height, width)


def _by_transform(x: Tensor, kernels: Tensor, padding: str) -> Tensor:
    """Filter by Fourier transform; kernels are (B, k, k) or (k, k), in x's dtype and device."""
    height, width = x.shape[-2:]
    k = int(kernels.shape[-1])
    # Zeros up to an efficient transform length; they only affect outputs that are cropped.
    size = (_smooth(height + k - 1), _smooth(width + k - 1))
    # The conjugate makes it a correlation.
    response = torch.fft.rfft2(kernels, s=size).conj()
    response = response if kernels.ndim == 2 else response[:, None]
    if on_cpu_without_gradient(x) and padding in CV2_BORDERS:
        return _by_planes(x, response.resolve_conj(), size, k, padding)
    spectrum = torch.fft.rfft2(pad(x, _reach(k), _reach(k), padding), s=size)
    filtered: Tensor = torch.fft.irfft2(spectrum * response, s=size)
    return filtered[..., :height, :width].contiguous()


def _by_planes(x: Tensor, response: Tensor, size: tuple[int, int], k: int, padding: str) -> Tensor:
    """Do the same plane by plane: a third faster where a batch exceeds the cache."""
    height, width = x.shape[-2:]
    room = torch.zeros(size)
    window = room.numpy()[: height + k - 1, : width + k - 1]
    before, after = _reach(k)
    result = torch.empty(x.shape)
    for index, image in enumerate(x.detach().contiguous()):
        factor = response if response.ndim == 2 else response[index, 0]
        for source, target in zip(image, result[index], strict=True):
            cv2.copyMakeBorder(
                source.numpy(), before, after, before, after, CV2_BORDERS[padding], dst=window
            )
            spectrum = torch.fft.rfft2(room).mul_(factor)
            target.copy_(torch.fft.irfft2(spectrum, s=size)[:height, :width])
    return result


def _planes(
    x: Tensor,
    window: tuple[int, ...],
    padding: str,
    run: Callable[[np.ndarray, np.ndarray, int], None],
) -> Tensor:
    """Run an OpenCV function on every plane of a batch, without copying it."""
    height, width = x.shape[-2:]
    x = x.detach()
    wrapped = padding == "circular"
    if wrapped:  # not supported by OpenCV's filters, so the image is padded first
        x = pad(x, _reach(window[0]), _reach(window[1]), padding)
    sources = x.contiguous().view(-1, *x.shape[-2:]).numpy()
    result = torch.empty(x.shape, dtype=x.dtype)
    targets = result.view(-1, *x.shape[-2:]).numpy()
    mode = CV2_BORDERS.get(padding, cv2.BORDER_CONSTANT)
    for source, target in zip(sources, targets, strict=True):
        run(source, target, mode)
    if wrapped:
        top, left = window[0] // 2, window[1] // 2
        return result[..., top : top + height, left : left + width].contiguous()
    return result


def _reach(k: int) -> tuple[int, int]:
    """Return how many pixels a window reaches before and after its centre."""
    return k // 2, k - 1 - k // 2


def _even(weights: np.ndarray) -> np.ndarray:
    """Return float32 weights, exactly symmetric (twice as fast in OpenCV) if nearly so."""
    mirrored = weights[::-1]
    if np.abs(weights - mirrored).max() < 1e-9:
        weights = 0.5 * (weights + mirrored)
    return weights.astype(np.float32)


@lru_cache(maxsize=1024)
def _smooth(size: int) -> int:
    """Return the next even length without prime factors above 7."""
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and size % 2 == 0:
            return size
        size += 1
