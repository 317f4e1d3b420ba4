"""Bicubic resampling equal to MATLAB's ``imresize``.

Keys' cubic with a = -0.5, widened by 1/scale when shrinking (antialiasing), half-pixel centres. The
padding is symmetric (today's MATLAB) or replicates the last pixel (older releases, which made
the shared Set5 LR files). Each axis is a small matrix that depends on sizes only; it is built once
in float64 and cached.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from realdeg.degradations.primitives.borders import known_padding
from realdeg.utils.deprecation import renamed_argument
from realdeg.utils.precision import full_precision

Span = tuple[int, int]
"""First pixel and the one after the last."""

# Above this many matrix entries an axis is applied by gathering taps instead of a dense matrix.
_DENSE_LIMIT = 1 << 22

# Halves are rounded up, but float64 sums may fall short of an exact half in the last bits. This
# tolerance reproduces every pixel of the shared Set5 LR files.
_TIE = 1e-7


@renamed_argument("border", "padding")
def imresize(
    x: Tensor,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    uint8_passes: bool = False,
    padding: str = "symmetric",
) -> Tensor:
    """Resize by MATLAB's antialiased bicubic interpolation.

    Args:
        x: Image, shape (B, C, H, W).
        scale: Output over input size (0.25 shrinks four times); the output has
            ceil(H * scale) x ceil(W * scale) pixels.
        size: Output (height, width) instead of ``scale``.
        uint8_passes: Round each of the two passes to 8 bit and clip it, as MATLAB does for uint8
            images; values are taken as [0, 1]. Sums are exact where the weights are (x2, x4), so
            halves are rounded up as in integer arithmetic, in float32 and float16, too.
        padding: How the image is continued beyond its border: ``"symmetric"`` or ``"replicate"``.

    Returns:
        The resized image, same dtype and channels. Nothing is clipped unless ``uint8_passes``.

    Raises:
        ValueError: Unless exactly one of ``scale`` and ``size`` is given, positive, and the padding
            is known.
    """
    padding = known_padding("imresize", padding, ("symmetric", "replicate"))
    if (scale is None) == (size is None):
        raise ValueError("imresize takes either a scale or a size")
    height, width = int(x.shape[-2]), int(x.shape[-1])
    if scale is not None:
        if scale <= 0:
            raise ValueError(f"imresize: scale must be positive, got {scale}")
        scales = (float(scale), float(scale))
        # The subtraction keeps 0.1 * 30 = 3.0000000000000004 from becoming 4.
        sizes = (math.ceil(height * scale - 1e-9), math.ceil(width * scale - 1e-9))
    else:
        assert size is not None
        sizes = size
        if min(sizes) < 1:
            raise ValueError(f"imresize: size must be positive, got {sizes}")
        scales = (sizes[0] / height, sizes[1] / width)
    dtype = x.dtype
    if uint8_passes:
        x = _exact_levels(x)
    # MATLAB starts with the smaller factor; rows win a tie.
    axes = (-2, -1) if scales[0] <= scales[1] else (-1, -2)
    for axis in axes:
        # Autocast would multiply, and so keep the image, in half precision.
        with full_precision(x):
            x = _resize_axis(x, axis, sizes[axis], scales[axis], padding)
        if uint8_passes:
            x = x.clamp(0, 255).add(0.5 + _TIE).floor()
    return (x.div(255) if uint8_passes else x).to(dtype)


def imresize_part(
    source: Callable[[Span, Span], Tensor],
    height: int,
    width: int,
    size: tuple[int, int],
    rows: Span,
    columns: Span,
) -> Tensor:
    """Compute some rows and columns of a resized image from only the pixels they depend on.

    Args:
        source: Returns the given rows and columns of the image, shape (B, C, h, w).
        height: Rows of the whole image.
        width: Columns of the whole image.
        size: (height, width) of the whole result.
        rows: The rows of the result to compute.
        columns: The columns of the result to compute.

    Returns:
        Those pixels of ``imresize(image, size=size)`` up to float rounding; the whole result is
        bit-identical.
    """
    if (rows, columns) == ((0, size[0]), (0, size[1])):
        return imresize(source((0, height), (0, width)), size=size)
    down, across = _axis_of_part(height, size[0], rows), _axis_of_part(width, size[1], columns)
    part = source(down[0], across[0])
    with full_precision(part):
        if down[1] is not None:
            part = torch.matmul(down[1].to(part), part)
        if across[1] is not None:
            part = torch.matmul(part, across[1].to(part).T)
    return part


def _axis_of_part(in_size: int, out_size: int, wanted: Span) -> tuple[Span, Tensor | None]:
    """Return the input span of one axis and the matrix from it to the wanted output."""
    if in_size == out_size:
        return wanted, None
    weights, indices = _taps(in_size, out_size, out_size / in_size, "symmetric")
    weights, indices = weights[wanted[0] : wanted[1]], indices[wanted[0] : wanted[1]]
    first, last = int(indices.min()), int(indices.max())
    matrix = torch.zeros(len(weights), last + 1 - first, dtype=weights.dtype)
    return (first, last + 1), matrix.scatter_add_(1, indices - first, weights)


def _exact_levels(x: Tensor) -> Tensor:
    """Return an image scaled to 0..255 in float64, with 8-bit levels as exact integers.

    In float32, level / 255 is off by up to half a unit in the last place, so that sums would fall
    short of an exact half.
    """
    levels = x.double() * 255
    whole = levels.round()
    near = (levels - whole).abs() < 255 * torch.finfo(x.dtype).eps
    return torch.where(near, whole, levels)


def _resize_axis(x: Tensor, axis: int, out_size: int, scale: float, padding: str) -> Tensor:
    in_size = int(x.shape[axis])
    if in_size == out_size and scale == 1.0:
        return x
    weights, indices = _uncached(_taps)(in_size, out_size, scale, padding)
    if in_size * out_size <= _DENSE_LIMIT:
        matrix = _uncached(_dense)(in_size, out_size, scale, padding)
        matrix = matrix.to(device=x.device, dtype=x.dtype)
        return torch.matmul(matrix, x) if axis == -2 else torch.matmul(x, matrix.T)
    weights = weights.to(device=x.device, dtype=x.dtype)
    indices = indices.to(x.device)
    result: Tensor | None = None
    for tap in range(weights.shape[1]):
        column = weights[:, tap]
        term = x.index_select(axis, indices[:, tap])
        term = term * (column.view(-1, 1) if axis == -2 else column)
        result = term if result is None else result + term
    assert result is not None
    return result


def _uncached(function: Any) -> Any:
    """Bypass the cache while tracing (``torch.export``): traced tensors hold no values."""
    return function.__wrapped__ if torch.compiler.is_compiling() else function


@lru_cache(maxsize=64)
def _dense(in_size: int, out_size: int, scale: float, padding: str) -> Tensor:
    weights, indices = _uncached(_taps)(in_size, out_size, scale, padding)
    # Taps beyond the padding may fall on the same pixel, so they are added up.
    return torch.zeros(out_size, in_size, dtype=torch.float64).scatter_add_(1, indices, weights)


@lru_cache(maxsize=64)
def _taps(in_size: int, out_size: int, scale: float, padding: str) -> tuple[Tensor, Tensor]:
    """Return normalised weights and indices inside the image, both (out_size, taps), 0-based."""
    shrink = min(scale, 1.0)
    width = 4.0 / shrink
    # MATLAB counts from 1: u = x / scale + (1 - 1 / scale) / 2.
    centre = torch.arange(1, out_size + 1, dtype=torch.float64) / scale + 0.5 * (1 - 1 / scale)
    first = torch.floor(centre - width / 2)
    taps = first[:, None] + torch.arange(math.ceil(width) + 2, dtype=torch.float64)
    weights = shrink * keys_cubic(shrink * (centre[:, None] - taps))
    weights = weights / weights.sum(1, keepdim=True)
    indices = taps.long() - 1
    if padding == "replicate":
        indices = indices.clamp(0, in_size - 1)
    else:
        indices = torch.remainder(indices, 2 * in_size)
        indices = torch.where(indices < in_size, indices, 2 * in_size - 1 - indices)
    used = (weights != 0).any(0)
    return weights[:, used].contiguous(), indices[:, used].contiguous()


def keys_cubic(t: Tensor) -> Tensor:
    """Return Keys' cubic kernel with a = -0.5 at distances of ``t`` pixels."""
    t = t.abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return torch.where(t <= 1, near, torch.where(t <= 2, far, torch.zeros_like(t)))
