"""``kernel_apply`` (stride 1) by Fourier transforms of tiles.

**Forward.** A real image is viewed, without a copy, as a complex one of half the width: pixel 2j is
the real part of z(j), pixel 2j + 1 the imaginary part. The even columns of a kernel act on z, the
odd ones on z', the same view shifted by one pixel:

    (phi * x)(2j + c) = sum_s phi_even(s) z_c(j + s) + phi_odd(s) z'_c(j + s)

So one complex inverse transform gives a tile of ``rows x 2 columns`` response pixels in image
order, which is multiplied with the weights in place. Tiles overlap by k - 1 pixels (overlap-save).

**Backward.** A few bases at a time, with real transforms. Responses give the gradient of the
weights. The spectrum of weight times gradient, multiplied with that of the basis and summed over
the bases, gives the image's gradient (overlapping tiles are added); multiplied with that of the
image and summed over all tiles, it gives the basis' gradient. The products are half of what the
forward pass' reading would need.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from realdeg.ops.tiles import Chunk, Grid, chunks, grid_of, outputs

# Responses of the tiles processed at a time: they stay in the cache.
_CHUNK_BYTES = 4 << 20
# The same for one basis, of which the backward pass holds the tiles and two spectra.
_BASIS_BYTES = 1 << 19


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


def forward(padded: Tensor, weights: Tensor, bases: Tensor, keep: Tensor | None = None) -> Tensor:
    """Filter and mix, stride 1.

    Args:
        padded: Image with its padding, shape (B, C, Hp, Wp), float32.
        weights: Shape (B, M, h, w).
        bases: Shape (M, kh, kw) or (B, M, kh, kw), float32.
        keep: Takes the responses, (B, C, M, h, w), for the gradient of the weights.

    Returns:
        Shape (B, C, h, w).
    """
    count, (height, width) = weights.shape[1], weights.shape[2:]
    result = padded.new_empty((*padded.shape[:2], height, width))
    grid = grid_of(height, width, (bases.shape[-2], bases.shape[-1]), unit=2)
    spectra = _Spectra(bases, grid.size)
    per_tile = padded.shape[1] * count * math.prod(grid.size) * 8
    for chunk in chunks(grid, padded.shape[0], per_tile, _CHUNK_BYTES, bases.ndim == 4):
        inputs = _input_spectra(padded, grid, chunk)
        responses = _responses(inputs, *spectra.of(chunk.samples.start))
        if keep is not None:
            for tiles, kept in outputs(grid, chunk, keep.flatten(1, 2)):
                kept.unflatten(1, (padded.shape[1], count)).copy_(responses[tiles])
        for tiles, field, target in outputs(grid, chunk, weights, result):
            # (b, C, M, tile rows, tile columns, rows, columns)
            products = responses[tiles].mul_(field[:, None].to(responses.dtype))
            torch.sum(products, 2, out=target)
    return result


def _as_complex(tiles: Tensor) -> Tensor:
    return torch.view_as_complex(tiles.unflatten(-1, (-1, 2)))


def _as_real(tiles: Tensor) -> Tensor:
    return torch.view_as_real(tiles).flatten(-2)


def _input_spectra(padded: Tensor, grid: Grid, chunk: Chunk) -> Tensor:
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
    rows, columns = bases.shape[-2:]
    grid = grid_of(height, width, (rows, columns), unit=1)
    size = grid.size
    # Scaled for an inverse transform without a factor.
    spectra = torch.fft.rfft2(bases, s=size).div_(math.prod(size))
    turned = spectra.conj_physical() if need_weights else spectra
    grad_weights = grad.new_empty(weights.shape) if need_weights else None
    canvas = grad.new_zeros((*padded.shape[:2], *_extent(grid))) if need_padded else None
    sums = torch.zeros_like(spectra) if need_bases else None
    spread = _Spread(grid)
    per_tile = padded.shape[1] * math.prod(size) * 4
    group = max(1, min(count, _CHUNK_BYTES // max(_BASIS_BYTES, per_tile)))
    for chunk in chunks(grid, padded.shape[0], per_tile, _BASIS_BYTES, bases.ndim == 4):
        sample = () if bases.ndim == 3 else (chunk.samples.start,)
        inputs = conjugates = total = None
        if need_weights or need_bases:
            inputs = torch.fft.rfft2(_tiles(padded, grid, chunk))
            conjugates = inputs.conj_physical() if need_bases else None
        if grad_weights is not None and inputs is not None:
            for index in range(count):
                products = inputs * turned[(*sample, index)]
                responses = torch.fft.irfft2(products, s=size, norm="forward")
                one = grad_weights[:, index : index + 1]
                for tiles, target, gradient in outputs(grid, chunk, one, grad):
                    torch.sum(responses[tiles].mul_(gradient), 1, keepdim=True, out=target)
        for first in range(0, count if need_padded or need_bases else 0, group):
            some = slice(first, min(first + group, count))
            spectrum = spread(grad, weights[:, some], chunk)
            if need_padded:
                product = (spectrum * spectra[(*sample, some)][:, None, None]).sum(2)
                total = product if total is None else total.add_(product)
            if sums is not None and conjugates is not None:
                sums[(*sample, some)] += spectrum.mul_(conjugates[:, :, None]).sum((0, 1, 3, 4))
        if canvas is not None and total is not None:
            _add_tiles(canvas, torch.fft.irfft2(total, s=size, norm="forward"), grid, chunk)
    grad_bases = None
    if sums is not None:
        # The sums are conjugates of the correlation's spectrum.
        lags = torch.fft.irfft2(sums.conj_physical_(), s=size)
        grad_bases = lags[..., :rows, :columns].contiguous()
    image = None if canvas is None else canvas[..., : padded.shape[2], : padded.shape[3]]
    return image, grad_weights, grad_bases


class _Spread:
    """Transforms a response's gradient: gradient times weight, zero where tiles overlap."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.tiles = torch.empty(0)
        self.filled: tuple[object, ...] = ()

    def __call__(self, grad: Tensor, weights: Tensor, chunk: Chunk) -> Tensor:
        """Return the spectra, (b, C, M, tile rows, tile columns, rows, columns / 2 + 1)."""
        down, across = self.grid.rows, self.grid.columns
        images = len(range(*chunk.samples.indices(grad.shape[0])))
        shape = (images, grad.shape[1], weights.shape[1], chunk.rows, chunk.columns)
        # The zeros between the tiles' valid pixels are written once for all equal chunks.
        rows = [kind for _, _, kind in down.regions(chunk.top, chunk.rows)]
        columns = [kind for _, _, kind in across.regions(chunk.left, chunk.columns)]
        filled = (shape, rows, columns)
        if filled != self.filled:
            self.tiles = grad.new_zeros((*shape, *self.grid.size))
            self.filled = filled
        for index, gradient, field in outputs(self.grid, chunk, grad, weights):
            field = field[:, None].to(grad.dtype)
            torch.mul(gradient[:, :, None], field, out=self.tiles[index])
        return torch.fft.rfft2(self.tiles)


def _extent(grid: Grid) -> tuple[int, int]:
    return grid.rows.extent, grid.columns.extent


def _tiles(padded: Tensor, grid: Grid, chunk: Chunk) -> Tensor:
    """Return overlapping tiles, (b, C, tile rows, tile columns, rows, columns), zero outside."""
    down, across = grid.rows, grid.columns
    top, height = chunk.top * down.step, (chunk.rows - 1) * down.step + down.length
    left, width = chunk.left * across.step, (chunk.columns - 1) * across.step + across.length
    strip = padded[chunk.samples, :, top : top + height, left : left + width]
    canvas = padded.new_zeros((*strip.shape[:2], height, width))
    canvas[..., : strip.shape[2], : strip.shape[3]] = strip
    return canvas.unfold(2, down.length, down.step).unfold(3, across.length, across.step)


def _add_tiles(canvas: Tensor, tiles: Tensor, grid: Grid, chunk: Chunk) -> None:
    down, across = grid.rows, grid.columns
    for row in range(tiles.shape[2]):
        top = (chunk.top + row) * down.step
        for column in range(tiles.shape[3]):
            left = (chunk.left + column) * across.step
            target = canvas[chunk.samples, :, top : top + down.length, left : left + across.length]
            target += tiles[:, :, row, column]
