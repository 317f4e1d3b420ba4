"""``pixel_kernel_apply`` on a GPU: every kernel is read, or its gradient written, once.

Reading the k * k kernel channels dominates the cost. So a program holds a tile of pixels times a
few taps, which keeps many loads in flight, and applies it to several image channels. Everything
else is as in :mod:`realdeg.ops.triton.kernel_apply`, with ``kernels`` (B, k * k, h, w), taps in
row-major order.
"""

# Device code has no type annotations but tl.constexpr: its arguments are Triton's.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.ops.triton.common import (
    Tiles,
    ceil_div,
    gradient_windows,
    jit,
    launch,
    power_of_two,
    refuse_unsupported,
    supports,
    tile_pixels,
    tiles_for,
    tl,
    window_taps,
)

__all__ = ["Tiles", "backward_kernels", "backward_padded", "forward", "supports", "tiles_for"]


@jit
def _forward(
    out, out_b, out_c, out_y, out_x,
    padded, padded_b, padded_c, padded_y, padded_x,
    kernels, kernels_b, kernels_t, kernels_y, kernels_x,
    height, width,
    C: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, TAPS: tl.constexpr, CHANNELS: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    PIXELS: tl.constexpr = ROWS * COLUMNS
    CHUNKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    program = tl.program_id(0)
    first = (program // tiles) % CHUNKS * CHANNELS
    sample = (program // (tiles * CHUNKS)).to(tl.int64)
    row, column, inside = tile_pixels(program % tiles, height, width, ROWS, COLUMNS)
    row, column = row.to(INDEX), column.to(INDEX)
    corner = row * (STRIDE * padded_y) + column * (STRIDE * padded_x)
    pixels = row * kernels_y + column * kernels_x

    channel = tl.arange(0, CHANNELS)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for start in range(0, K * K, TAPS):
        dy, dx, taken = window_taps(start, K, TAPS)
        used = inside[:, None] & taken[None, :]
        tap = (start + tl.arange(0, TAPS)).to(INDEX)
        kernel = tl.load(
            kernels + sample * kernels_b + tap[None, :] * kernels_t + pixels[:, None],
            mask=used,
            other=0.0,
        ).to(tl.float32)
        taps = corner[:, None] + (dy.to(INDEX) * padded_y + dx * padded_x)[None, :]
        for c in tl.static_range(CHANNELS if CHANNELS < C else C):
            # The last block's surplus channels repeat the last one and are not stored.
            offset = tl.minimum(first + c, C - 1).to(tl.int64)
            x = tl.load(padded + sample * padded_b + offset * padded_c + taps, mask=used, other=0.0)
            part = tl.sum(kernel * x.to(tl.float32), 1)
            total += tl.where((channel == c)[None, :], part[:, None], 0.0)
    channel += first
    tl.store(
        out + sample * out_b + channel.to(tl.int64)[None, :] * out_c
        + (row * out_y + column * out_x)[:, None],
        total.to(out.dtype.element_ty),
        mask=inside[:, None] & (channel < C)[None, :],
    )  # fmt: skip


@jit
def _backward_padded(
    out, out_b, out_c, out_y, out_x,
    grad, grad_b, grad_c, grad_y, grad_x,
    kernels, kernels_b, kernels_t, kernels_y, kernels_x,
    height, width, padded_height, padded_width,
    C: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, TAPS: tl.constexpr, CHANNELS: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    # As in kernel_apply, in both axes: a window of REACH taps and stride 1 on the output grid.
    REACH: tl.constexpr = (K + STRIDE - 1) // STRIDE
    PIXELS: tl.constexpr = ROWS * COLUMNS
    CHUNKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    grid_height, grid_width = tl.cdiv(padded_height, STRIDE), tl.cdiv(padded_width, STRIDE)
    tiles = tl.cdiv(grid_height, ROWS) * tl.cdiv(grid_width, COLUMNS)
    program = tl.program_id(0)
    tile = program % tiles
    program = program // tiles
    shift_x = program % STRIDE
    program = program // STRIDE
    shift_y = program % STRIDE
    program = program // STRIDE
    first = program % CHUNKS * CHANNELS
    sample = (program // CHUNKS).to(tl.int64)
    i, j, inside = tile_pixels(tile, grid_height, grid_width, ROWS, COLUMNS)

    channel = tl.arange(0, CHANNELS)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for start in range(0, REACH * REACH, TAPS):
        up, left, taken = window_taps(start, REACH, TAPS)
        dy, dx = shift_y + STRIDE * up, shift_x + STRIDE * left
        row, column = i[:, None] - up[None, :], j[:, None] - left[None, :]
        used = inside[:, None] & (taken & (dy < K) & (dx < K))[None, :]
        used = used & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = row.to(INDEX), column.to(INDEX)
        kernel = tl.load(
            kernels + sample * kernels_b + (dy * K + dx).to(INDEX)[None, :] * kernels_t
            + row * kernels_y + column * kernels_x,
            mask=used,
            other=0.0,
        ).to(tl.float32)  # fmt: skip
        for c in tl.static_range(CHANNELS if CHANNELS < C else C):
            # The last block's surplus channels repeat the last one and are not stored.
            offset = tl.minimum(first + c, C - 1).to(tl.int64)
            g = tl.load(
                grad + sample * grad_b + offset * grad_c
                + row * grad_y + column * grad_x,
                mask=used,
                other=0.0,
            )  # fmt: skip
            part = tl.sum(kernel * g.to(tl.float32), 1)
            total += tl.where((channel == c)[None, :], part[:, None], 0.0)
    channel += first
    y, x = i * STRIDE + shift_y, j * STRIDE + shift_x
    inside = inside & (y < padded_height) & (x < padded_width)
    tl.store(
        out + sample * out_b + channel.to(tl.int64)[None, :] * out_c
        + (y.to(INDEX) * out_y + x.to(INDEX) * out_x)[:, None],
        total.to(out.dtype.element_ty),
        mask=inside[:, None] & (channel < C)[None, :],
    )  # fmt: skip


@jit
def _backward_kernels(
    out, out_b, out_t, out_y, out_x,
    grad, grad_b, grad_c, grad_y, grad_x,
    padded, padded_b, padded_c, padded_y, padded_x,
    height, width,
    C: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, TAPS: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    PIXELS: tl.constexpr = ROWS * COLUMNS
    PARTS: tl.constexpr = (K * K + TAPS - 1) // TAPS
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    program = tl.program_id(0)
    # Programs of the same pixels are adjacent, so that they share image and gradient in the cache.
    start = program % PARTS * TAPS
    program = program // PARTS
    sample = (program // tiles).to(tl.int64)
    row, column, inside = tile_pixels(program % tiles, height, width, ROWS, COLUMNS)
    row, column = row.to(INDEX), column.to(INDEX)
    dy, dx, taken = window_taps(start, K, TAPS)
    corner = row * (STRIDE * padded_y) + column * (STRIDE * padded_x)
    mixed = gradient_windows(
        grad + sample * grad_b, grad_c, row * grad_y + column * grad_x, inside,
        padded + sample * padded_b, padded_c,
        corner[:, None] + (dy.to(INDEX) * padded_y + dx * padded_x)[None, :], taken,
        C, PIXELS, TAPS,
    )  # fmt: skip
    tap = (start + tl.arange(0, TAPS)).to(INDEX)
    tl.store(
        out + sample * out_b + tap[None, :] * out_t + (row * out_y + column * out_x)[:, None],
        mixed.to(out.dtype.element_ty),
        mask=inside[:, None] & taken[None, :],
    )


def forward(padded: Tensor, kernels: Tensor, stride: int, tiles: Tiles | None = None) -> Tensor:
    """Filter each pixel with its own kernel: (B, C, h, w), dtype of ``padded``."""
    refuse_unsupported(padded, kernels)
    batch, channels = padded.shape[:2]
    height, width = kernels.shape[2:]
    out = padded.new_empty((batch, channels, height, width))
    if out.numel() == 0:
        return out
    side = _side(kernels.shape)
    tiles = tiles or tiles_for(side)
    shared = power_of_two(channels, most=tiles.channels)
    programs = batch * ceil_div(channels, shared) * _tile_count(height, width, tiles)
    launch(
        _forward, programs, tiles, (out, padded, kernels), height=height, width=width,
        C=channels, K=side, STRIDE=stride, ROWS=tiles.rows, COLUMNS=tiles.columns,
        TAPS=tiles.taps, CHANNELS=shared,
    )  # fmt: skip
    return out


def backward_padded(
    grad: Tensor,
    kernels: Tensor,
    stride: int,
    size: tuple[int, int],
    tiles: Tiles | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient of the padded image, (B, C, *size), by default of ``grad``'s dtype."""
    refuse_unsupported(grad, kernels)
    batch, channels, height, width = grad.shape
    out = grad.new_empty((batch, channels, *size), dtype=dtype or grad.dtype)
    if out.numel() == 0 or grad.numel() == 0:
        return out.zero_()
    side = _side(kernels.shape)
    tiles = tiles or tiles_for(side)
    shared = power_of_two(channels, most=tiles.channels)
    grid = ceil_div(size[0], stride), ceil_div(size[1], stride)
    programs = batch * ceil_div(channels, shared) * stride**2 * _tile_count(*grid, tiles)
    launch(
        _backward_padded, programs, tiles, (out, grad, kernels), height=height, width=width,
        padded_height=size[0], padded_width=size[1], C=channels, K=side, STRIDE=stride,
        ROWS=tiles.rows, COLUMNS=tiles.columns, TAPS=tiles.taps, CHANNELS=shared,
    )  # fmt: skip
    return out


def backward_kernels(
    grad: Tensor,
    padded: Tensor,
    kernels_shape: torch.Size | tuple[int, ...],
    stride: int,
    tiles: Tiles | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the gradient of the kernels, of their shape, by default in the dtype of ``grad``."""
    refuse_unsupported(grad, padded)
    batch, channels, height, width = grad.shape
    out = grad.new_empty(kernels_shape, dtype=dtype or grad.dtype)
    if out.numel() == 0 or grad.numel() == 0:
        return out.zero_()
    side = _side(kernels_shape)
    tiles = tiles or tiles_for(side)
    programs = batch * ceil_div(side**2, tiles.taps) * _tile_count(height, width, tiles)
    launch(
        _backward_kernels, programs, tiles, (out, grad, padded), height=height, width=width,
        C=channels, K=side, STRIDE=stride, ROWS=tiles.rows, COLUMNS=tiles.columns,
        TAPS=tiles.taps,
    )  # fmt: skip
    return out


def _side(kernels_shape: torch.Size | tuple[int, ...]) -> int:
    return round(kernels_shape[1] ** 0.5)


def _tile_count(height: int, width: int, tiles: Tiles) -> int:
    return ceil_div(height, tiles.rows) * ceil_div(width, tiles.columns)
