"""``kernel_apply`` (stride 1) by Fourier transforms of tiles.

A real image is viewed, without a copy, as a complex one of half the width: pixel 2j is the real
part of z(j), pixel 2j + 1 the imaginary part. The even columns of a kernel act on z, the odd ones
on z', the same view shifted by one pixel:

    (phi * x)(2j + c) = sum_s phi_even(s) z_c(j + s) + phi_odd(s) z'_c(j + s)

So one complex inverse transform gives a tile of ``rows x 2 columns`` response pixels in image
order, which is multiplied with the weights in place. Tiles overlap by k - 1 pixels (overlap-save);
the backward pass adds overlapping tiles (overlap-add).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

# Efficient FFT lengths. The cost per point is about the same for all (memory traffic outweighs the
# logarithm), slightly higher where the length is not a power of two.
_LENGTHS = (32, 36, 40, 48, 56, 60, 64, 72, 80, 96, 104, 108, 112, 120, 128, 144, 160, 192)
_ODD_LENGTH_COST = 1.1

# Responses of the tiles processed at a time: they stay in the cache.
_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class _Axis:
    """An axis of ``size`` outputs, cut into tiles of ``length`` points that yield ``step`` each."""

    size: int
    step: int
    length: int
    unit: int  # pixels per point

    @property
    def count(self) -> int:
        return -(-self.size // (self.step * self.unit))

    @property
    def extent(self) -> int:
        """Pixels that all tiles together read."""
        return ((self.count - 1) * self.step + self.length) * self.unit

    def regions(self, first: int, count: int) -> Iterator[tuple[slice, slice, tuple[int, int]]]:
        """Yield tiles, output pixels and (tiles, pixels each): whole tiles, then the remainder."""
        pixels = self.step * self.unit
        whole = max(0, min(count, self.size // pixels - first))
        if whole:
            start = first * pixels
            yield slice(0, whole), slice(start, start + whole * pixels), (whole, pixels)
        if whole < count:
            start = (first + whole) * pixels
            yield slice(whole, count), slice(start, self.size), (1, self.size - start)


@dataclass(frozen=True)
class _Grid:
    rows: _Axis
    columns: _Axis

    @property
    def size(self) -> tuple[int, int]:
        """Points of a tile."""
        return self.rows.length, self.columns.length

    @property
    def cost(self) -> float:
        odd = math.prod(_ODD_LENGTH_COST for n in self.size if n & (n - 1))
        return self.rows.count * self.columns.count * math.prod(self.size) * odd


@lru_cache(maxsize=256)
def _grid(height: int, width: int, kernel_size: tuple[int, int]) -> _Grid:
    rows, columns = kernel_size
    down = [_axis(height, rows - 1, n, 1) for n in _LENGTHS if n >= rows]
    halo = (columns - 1) // 2
    across = [_axis(width, halo, n, 2) for n in _LENGTHS if n > halo]
    return min((_Grid(rows, columns) for rows in down for columns in across), key=lambda g: g.cost)


def _axis(size: int, halo: int, length: int, unit: int) -> _Axis:
    points = -(-size // unit)
    count = -(-points // (length - halo))
    # Equal tiles: the same number of them, none much smaller than the others.
    return _Axis(size, -(-points // count), length, unit)


@dataclass(frozen=True)
class _Chunk:
    """The tiles processed at a time: those of some samples in a rectangle of the grid."""

    samples: slice
    top: int
    rows: int
    left: int
    columns: int


def _chunks(grid: _Grid, batch: int, per_tile: int, per_sample: bool) -> Iterator[_Chunk]:
    """Yield chunks whose responses stay in the cache.

    ``per_tile`` is the number of responses of a tile, channels times bases; ``per_sample`` tells
    whether each sample has its own bases.
    """
    most = max(1, _CHUNK_BYTES // (per_tile * math.prod(grid.size) * 8))
    wide = min(most, grid.columns.count)
    tall = min(max(1, most // wide), grid.rows.count)
    each = 1 if per_sample else max(1, most // (grid.rows.count * grid.columns.count))
    for sample in range(0, batch, each):
        samples = slice(sample, min(sample + each, batch))
        for top in range(0, grid.rows.count, tall):
            rows = min(tall, grid.rows.count - top)
            for left in range(0, grid.columns.count, wide):
                yield _Chunk(samples, top, rows, left, min(wide, grid.columns.count - left))


class _Spectra:
    """The bases' spectra (even and odd columns), conjugated and scaled for the inverse."""

    def __init__(self, bases: Tensor, size: tuple[int, int]) -> None:
        def spectrum(columns: Tensor) -> Tensor:
            return torch.fft.fft2(columns, s=size).conj_physical_().div_(math.prod(size))

        self.even = spectrum(bases[..., 0::2])
        # A kernel of one column has no odd columns.
        odd = bases[..., 1::2] if bases.shape[-1] > 1 else torch.zeros_like(bases)
        self.odd = spectrum(odd)

    def of(self, sample: int) -> tuple[Tensor, Tensor]:
        """Return the even and odd spectra of a sample, each (M, rows, columns)."""
        if self.even.ndim == 3:
            return self.even, self.odd
        return self.even[sample], self.odd[sample]

    def adjoint(self) -> _Spectra:
        """Turn the spectra into those of the transposed filters, in place."""
        self.even.conj_physical_()
        self.odd.conj_physical_()
        return self


def forward(padded: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """Filter and mix, stride 1.

    Args:
        padded: Image with its padding, shape (B, C, Hp, Wp), float32.
        weights: Shape (B, M, h, w).
        bases: Shape (M, kh, kw) or (B, M, kh, kw), float32.

    Returns:
        Shape (B, C, h, w).
    """
    count, (height, width) = weights.shape[1], weights.shape[2:]
    result = padded.new_empty((*padded.shape[:2], height, width))
    grid = _grid(height, width, (bases.shape[-2], bases.shape[-1]))
    spectra = _Spectra(bases, grid.size)
    per_tile = padded.shape[1] * count
    for chunk in _chunks(grid, padded.shape[0], per_tile, bases.ndim == 4):
        inputs = _input_spectra(padded, grid, chunk)
        responses = _responses(inputs, *spectra.of(chunk.samples.start))
        for tiles, field, target in _outputs(grid, chunk, weights, result):
            # (b, C, M, tile rows, tile columns, rows, columns)
            products = responses[tiles].mul_(field[:, None].to(responses.dtype))
            torch.sum(products, 2, out=target)
    return result


def backward(
    grad: Tensor,
    padded: Tensor,
    weights: Tensor,
    bases: Tensor,
    need_padded: bool,
    need_weights: bool,
    need_bases: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the float32 gradients of the padded image, the weights and the bases.

    ``None`` stands for one not needed. ``grad`` is (B, C, h, w), float32; the rest is as in
    :func:`forward`.
    """
    count, (height, width) = weights.shape[1], weights.shape[2:]
    grid = _grid(height, width, (bases.shape[-2], bases.shape[-1]))
    grad_weights = grad.new_empty(weights.shape) if need_weights else None
    spectra = _Spectra(bases, grid.size) if need_weights else None
    folded = _Folded(padded, bases, grid) if need_padded else None
    spread_spectra = _SpreadSpectra(grid)
    cross = _CrossSpectra(bases, grid.size) if need_bases else None
    per_tile = padded.shape[1] * count
    for chunk in _chunks(grid, padded.shape[0], per_tile, bases.ndim == 4):
        sample, inputs = chunk.samples.start, None
        if need_weights or need_bases:
            inputs = _input_spectra(padded, grid, chunk)
        if grad_weights is not None and inputs is not None and spectra is not None:
            responses = _responses(inputs, *spectra.of(sample))
            for tiles, target, gradient in _outputs(grid, chunk, grad_weights, grad):
                products = responses[tiles].mul_(gradient[:, :, None])
                torch.sum(products, 1, out=target)
        if folded is None and cross is None:
            continue
        spread = spread_spectra(grad, weights, chunk)
        if folded is not None:
            folded.add(spread, chunk)
        if cross is not None and inputs is not None:
            cross.add(spread, inputs, sample)
    return (
        None if folded is None else folded.result(),
        grad_weights,
        None if cross is None else cross.result(bases),
    )


def _outputs(grid: _Grid, chunk: _Chunk, *fields: Tensor) -> Iterator[tuple[Any, ...]]:
    """Yield the index of a chunk's valid points, and each field (B, X, h, w) at those pixels.

    Fields are viewed as (b, X, tile rows, tile columns, rows, columns).
    """
    for down, lines, (tall, height) in grid.rows.regions(chunk.top, chunk.rows):
        for across, columns, (wide, width) in grid.columns.regions(chunk.left, chunk.columns):
            index = (..., down, across, slice(0, height), slice(0, width))
            views = (
                field[chunk.samples, :, lines, columns]
                .unflatten(-2, (tall, height))
                .unflatten(-1, (wide, width))
                .transpose(-3, -2)
                for field in fields
            )
            yield index, *views


def _as_complex(tiles: Tensor) -> Tensor:
    return torch.view_as_complex(tiles.unflatten(-1, (-1, 2)))


def _as_real(tiles: Tensor) -> Tensor:
    return torch.view_as_real(tiles).flatten(-2)


def _input_spectra(padded: Tensor, grid: _Grid, chunk: _Chunk) -> Tensor:
    """Return the spectra of z and z', (2, b, C, tile rows, tile columns, rows, columns)."""
    down, across = grid.rows, grid.columns
    top, height = chunk.top * down.step, (chunk.rows - 1) * down.step + down.length
    left = chunk.left * across.step * 2
    width = ((chunk.columns - 1) * across.step + across.length) * 2
    strip = padded[chunk.samples, :, top : top + height, left : left + width + 1]
    canvas = padded.new_zeros((*strip.shape[:2], height, width + 1))
    canvas[..., : strip.shape[2], : strip.shape[3]] = strip
    shape = (2, *strip.shape[:2], chunk.rows, chunk.columns, down.length, across.length * 2)
    tiles = padded.new_empty(shape)
    for shift in (0, 1):
        view = canvas[..., shift : shift + width].unfold(2, down.length, down.step)
        tiles[shift] = view.unfold(3, across.length * 2, across.step * 2)
    return torch.fft.fft2(_as_complex(tiles))


def _responses(inputs: Tensor, even: Tensor, odd: Tensor) -> Tensor:
    """Return the responses as pixels: (b, C, M, tile rows, tile columns, rows, columns)."""
    products = inputs[0][:, :, None] * even[:, None, None]
    products.addcmul_(inputs[1][:, :, None], odd[:, None, None])
    return _as_real(torch.fft.ifft2(products, norm="forward"))


class _SpreadSpectra:
    """Transforms each response's gradient: gradient times weight, zero where tiles overlap."""

    def __init__(self, grid: _Grid) -> None:
        self.grid = grid
        self.tiles = torch.empty(0)
        self.filled: tuple[Any, ...] = ()

    def __call__(self, grad: Tensor, weights: Tensor, chunk: _Chunk) -> Tensor:
        """Return the spectra, (b, C, M, tile rows, tile columns, rows, columns)."""
        down, across = self.grid.rows, self.grid.columns
        images = len(range(*chunk.samples.indices(grad.shape[0])))
        shape = (images, grad.shape[1], weights.shape[1], chunk.rows, chunk.columns)
        # The zeros between the tiles' valid pixels are written once for all equal chunks.
        rows = [kind for _, _, kind in down.regions(chunk.top, chunk.rows)]
        columns = [kind for _, _, kind in across.regions(chunk.left, chunk.columns)]
        filled = (shape, rows, columns)
        if filled != self.filled:
            self.tiles = grad.new_zeros((*shape, down.length, across.length * 2))
            self.filled = filled
        for index, gradient, field in _outputs(self.grid, chunk, grad, weights):
            field = field[:, None].to(grad.dtype)
            torch.mul(gradient[:, :, None], field, out=self.tiles[index])
        return torch.fft.fft2(_as_complex(self.tiles))


class _Folded:
    """The gradient of the padded image, overlap-added from tiles."""

    def __init__(self, padded: Tensor, bases: Tensor, grid: _Grid) -> None:
        self.grid, self.shape = grid, padded.shape
        self.spectra = _Spectra(bases, grid.size).adjoint()
        self.canvas = padded.new_zeros(
            (*padded.shape[:2], grid.rows.extent, grid.columns.extent + 1)
        )

    def add(self, spread: Tensor, chunk: _Chunk) -> None:
        """Add a chunk of tiles; z' lies one pixel to the right of z."""
        down, across = self.grid.rows, self.grid.columns
        for shift, adjoint in enumerate(self.spectra.of(chunk.samples.start)):
            total = spread[:, :, 0] * adjoint[0]
            for index in range(1, adjoint.shape[0]):
                total.addcmul_(spread[:, :, index], adjoint[index])
            tiles = _as_real(torch.fft.ifft2(total, norm="forward"))
            for row in range(tiles.shape[2]):
                top = (chunk.top + row) * down.step
                for column in range(tiles.shape[3]):
                    left = (chunk.left + column) * across.step * 2 + shift
                    target = self.canvas[chunk.samples, :, top : top + down.length]
                    target[..., left : left + across.length * 2] += tiles[:, :, row, column]

    def result(self) -> Tensor:
        """Return the gradient, shape (B, C, Hp, Wp)."""
        return self.canvas[..., : self.shape[2], : self.shape[3]]


class _CrossSpectra:
    """The gradient of the bases: correlations of the image with each response's gradient."""

    def __init__(self, bases: Tensor, size: tuple[int, int]) -> None:
        self.sums = torch.zeros(
            (2, *bases.shape[:-2], *size), dtype=torch.complex64, device=bases.device
        )

    def add(self, spread: Tensor, inputs: Tensor, sample: int) -> None:
        """Add a chunk to the sums, the conjugate of the correlation's spectrum."""
        sums = self.sums if self.sums.ndim == 4 else self.sums[:, sample]
        conjugates = inputs.conj_physical()
        for image, channel, row, column in _indices(spread):
            tile = spread[image, channel, :, row, column]
            for half in (0, 1):
                sums[half].addcmul_(tile, conjugates[half, image, channel, row, column])

    def result(self, bases: Tensor) -> Tensor:
        """Return the gradient, shape of ``bases``."""
        rows, columns = bases.shape[-2:]
        lags = torch.fft.ifft2(self.sums.conj_physical()).real
        grad = torch.empty_like(bases, memory_format=torch.contiguous_format)
        grad[..., 0::2] = lags[0, ..., :rows, : (columns + 1) // 2]
        grad[..., 1::2] = lags[1, ..., :rows, : columns // 2]
        return grad


def _indices(spread: Tensor) -> Iterator[tuple[int, int, int, int]]:
    images, channels, _, rows, columns = spread.shape[:5]
    return product(range(images), range(channels), range(rows), range(columns))
