"""``kernel_apply`` on a GPU: neither basis responses nor per-pixel kernels reach memory.

The forward pass and the gradient of the image mix the bases into the per-pixel kernels of a tile,
a few taps at a time, as a matrix product (weights of the tile's pixels times taps of the bases).
That product is the same for all channels, so the weights are read once and only the cheap
multiplication with the image is repeated. For the same reason the gradients of weights and bases
first sum gradient times window over the channels, then compute one product.

Everything is accumulated in float32 without atomics, so results are reproducible bit for bit. The
image is padded by :func:`realdeg.ops.padding.pad`: the window of output pixel i starts at padded
pixel ``stride * i``.

Arguments of all functions: ``grad`` (B, C, h, w) is the gradient of the output, ``padded``
(B, C, Hp, Wp) the padded image, ``weights`` (B, M, h, w), ``bases`` (M, k, k) or (B, M, k, k),
``stride`` the input pixels per output pixel. ``tiles`` are by default those of :func:`tiles_for`.
All raise NotImplementedError for a dtype that is not supported.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from realdeg.ops.triton import kernel_apply_device as device
from realdeg.ops.triton.common import (
    Tiles,
    ceil_div,
    dot_settings,
    launch,
    power_of_two,
    refuse_unsupported,
    supports,
    tiles_for,
)

__all__ = [
    "Tiles",
    "backward_bases",
    "backward_padded",
    "backward_weights",
    "forward",
    "supports",
    "tiles_for",
]


def forward(
    padded: Tensor, weights: Tensor, bases: Tensor, stride: int, tiles: Tiles | None = None
) -> Tensor:
    """Filter each pixel with its own mixture of bases: (B, C, h, w), dtype of ``padded``."""
    refuse_unsupported(padded, weights, bases)
    batch, channels = padded.shape[:2]
    height, width = weights.shape[2:]
    out = padded.new_empty((batch, channels, height, width))
    if out.numel() == 0 or weights.numel() == 0:
        return out.zero_()
    tiles, constants = _constants(padded, bases, stride, tiles)
    shared = power_of_two(channels, most=tiles.channels)
    programs = _tile_count(out, tiles) * ceil_div(channels, shared)
    launch(
        device.forward, programs, tiles, (out, padded, weights, _per_sample(bases, batch)),
        height=height, width=width, ROWS=tiles.rows, COLUMNS=tiles.columns, CHANNELS=shared,
        **constants, **dot_settings(weights, bases),
    )  # fmt: skip
    return out


def backward_padded(
    grad: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    size: tuple[int, int],
    tiles: Tiles | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient of the padded image, (B, C, *size), by default of ``grad``'s dtype."""
    refuse_unsupported(grad, weights, bases)
    batch, channels, height, width = grad.shape
    out = grad.new_empty((batch, channels, *size), dtype=dtype or grad.dtype)
    if out.numel() == 0 or weights.numel() == 0:
        return out.zero_()
    tiles, constants = _constants(grad, bases, stride, tiles)
    reach = ceil_div(bases.shape[-1], stride)
    # A run yields run - reach + 1 pixels: long windows need long runs, narrow images short ones.
    pixels = ceil_div(size[1], stride)
    most = max(tiles.run, power_of_two(2 * reach))
    run = power_of_two(pixels + reach - 1, least=min(most, power_of_two(2 * reach, 16)), most=most)
    shared = power_of_two(channels, most=tiles.channels)
    programs = size[0] * stride * ceil_div(pixels, run - reach + 1)
    constants["TAPS"] = power_of_two(reach, 16)
    launch(
        device.backward_padded, programs * batch * ceil_div(channels, shared), tiles,
        (out, grad, weights, _per_sample(bases, batch)),
        height=height, width=width, padded_height=size[0], padded_width=size[1],
        RUN=run, CHANNELS=shared, **constants, **dot_settings(weights, bases),
    )  # fmt: skip
    return out


def backward_weights(
    grad: Tensor,
    padded: Tensor,
    bases: Tensor,
    stride: int,
    tiles: Tiles | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient of the weights, (B, M, h, w), by default in the dtype of ``bases``."""
    refuse_unsupported(grad, padded, bases)
    batch, _, height, width = grad.shape
    out = bases.new_empty((batch, bases.shape[-3], height, width), dtype=dtype or bases.dtype)
    if out.numel() == 0 or grad.numel() == 0:
        return out.zero_()
    tiles, constants = _constants(padded, bases, stride, tiles)
    programs = _tile_count(out, tiles) * ceil_div(constants["M"], constants["BASES"])
    precision = dot_settings(grad, padded, bases)["PRECISION"]
    launch(
        device.backward_weights, programs, tiles, (out, grad, padded, _per_sample(bases, batch)),
        height=height, width=width, ROWS=tiles.rows, COLUMNS=tiles.columns,
        PRECISION=precision, **constants,
    )  # fmt: skip
    return out


def backward_bases(
    grad: Tensor,
    padded: Tensor,
    weights: Tensor,
    bases_shape: torch.Size | tuple[int, ...],
    stride: int,
    tiles: Tiles | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient of the bases, of their shape, by default in the dtype of ``weights``."""
    refuse_unsupported(grad, padded, weights)
    batch, _, height, width = grad.shape
    bases = weights.new_empty(bases_shape, dtype=dtype or weights.dtype)
    if bases.numel() == 0 or grad.numel() == 0:
        return bases.zero_()
    tiles, constants = _constants(padded, bases, stride, tiles)
    groups = batch if bases.ndim == 4 else 1
    slots = min(_tile_count(grad, tiles) // groups, ceil_div(tiles.slots, groups))
    count, taps = constants["M"], bases.shape[-1] ** 2
    parts = grad.new_empty((groups * slots, count, taps), dtype=torch.float32)
    blocks = ceil_div(count, constants["BASES"]) * ceil_div(taps, constants["TAPS"])
    launch(
        device.backward_bases, groups * slots * blocks, tiles, (parts, grad, padded, weights),
        height=height, width=width, slots=slots, samples=batch // groups,
        ROWS=tiles.rows, COLUMNS=tiles.columns,
        PRECISION=dot_settings(grad, padded, weights)["PRECISION"], **constants,
    )  # fmt: skip
    return parts.view(groups, slots, count, taps).sum(1).view(bases_shape).to(bases.dtype)


def _constants(
    image: Tensor, bases: Tensor, stride: int, tiles: Tiles | None
) -> tuple[Tiles, dict[str, Any]]:
    count, size = bases.shape[-3:-1]
    tiles = tiles or tiles_for(size, count)
    # A block larger than the number of bases would be padding; tl.dot needs at least 16.
    block = power_of_two(count, 16, max(16, tiles.bases))
    constants = {"C": image.shape[1], "M": count, "K": size, "STRIDE": stride}
    return tiles, {**constants, "TAPS": max(16, tiles.taps), "BASES": block}


def _tile_count(image: Tensor, tiles: Tiles) -> int:
    batch, _, height, width = image.shape
    return batch * ceil_div(height, tiles.rows) * ceil_div(width, tiles.columns)


def _per_sample(bases: Tensor, batch: int) -> Tensor:
    # Shared bases get a stride of 0 between samples.
    return bases if bases.ndim == 4 else bases.expand(batch, *bases.shape)
