"""Averaged spectra of images of the same scene, and quantities derived from them.

Welch's method: power and cross spectra of half-overlapping blocks under a Hann window. HR blocks
keep only the frequencies of LR, shifted to the positions of LR pixels, so HR needs no ideal
downsampling. Frequencies are in cycles per LR pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from realdeg.errors import DataError

# Blocks whose spectra are in memory at once: 32 MiB for HR blocks of 128 x 128.
_BLOCKS_AT_ONCE = 64
# Above this frequency, aliasing and noise dominate and reveal no shift.
_SHIFT_BAND = 0.4
# A coherence of 1 would have infinite weight.
_GREATEST_COHERENCE = 0.999
# Below this sum of the weights two images have too little in common to be aligned.
_LEAST_EVIDENCE = 1.0
# Determinant over squared trace of the weighted frequencies: below it they lie on a line, as for
# stripes, which reveal the shift across them only (along them the window suggests 0).
_LEAST_SPREAD = 0.015
# Shifting back and measuring again stops at this shift in pixels, or after some rounds.
_SETTLED, _ROUNDS = 1e-3, 4


@dataclass(frozen=True)
class CrossSpectra:
    """Sums, over blocks, of the products of the spectra of N images.

    Args:
        products: ``sum F_i conj(F_j)``, complex128, shape (N, N, block, block), frequencies in
            the order of ``torch.fft.fftfreq``.
        blocks: The number of blocks.
    """

    products: Tensor
    blocks: int

    @property
    def block(self) -> int:
        """Side of a block in LR pixels."""
        return self.products.shape[-1]

    def power(self, image: int) -> Tensor:
        """Return the power of one image, float64, shape (block, block)."""
        return self.products[image, image].real / self.blocks

    def shifted(self, shifts: Tensor) -> CrossSpectra:
        """Return the spectra after moving each image back by (row, column) LR pixels, (N, 2)."""
        rows, columns = frequencies(self.block)
        angle = shifts[:, 0, None, None] * rows + shifts[:, 1, None, None] * columns
        turn = torch.polar(torch.ones_like(angle), 2 * math.pi * angle)
        return CrossSpectra(self.products * turn[:, None] * turn[None].conj(), self.blocks)


def frequencies(block: int) -> tuple[Tensor, Tensor]:
    """Return the frequencies of rows (block, 1) and columns (1, block), in cycles per pixel."""
    axis = torch.fft.fftfreq(block, dtype=torch.float64)
    return axis[:, None], axis[None, :]


def cross_spectra(
    images: Sequence[Tensor], block: int, strides: Sequence[int], most: int = 1024
) -> CrossSpectra:
    """Add up the products of the blocks' spectra.

    Args:
        images: The images, float64, each (h, w) times its stride.
        block: Side of a block in LR pixels, even.
        strides: Pixels of each image per LR pixel.
        most: Most blocks; a larger image is covered more sparsely.

    Raises:
        DataError: If the images are smaller than a block.
    """
    height, width = (side // strides[0] for side in images[0].shape)
    if min(height, width) < block:
        raise DataError(
            f"spectra are measured in blocks of {block} px, and {height} x {width} LR px are left"
            " after the border is cropped."
        )
    places = [(top, left) for top in _starts(height, block) for left in _starts(width, block)]
    if len(places) > most:
        places = [places[index * len(places) // most] for index in range(most)]
    total = torch.zeros(len(images), len(images), block, block, dtype=torch.complex128)
    for first in range(0, len(places), _BLOCKS_AT_ONCE):
        some = places[first : first + _BLOCKS_AT_ONCE]
        spectra = torch.stack(
            [
                _spectra(image, some, block, stride)
                for image, stride in zip(images, strides, strict=True)
            ]
        )
        total += torch.einsum("inrc,jnrc->ijrc", spectra, spectra.conj())
    return CrossSpectra(total, len(places))


def _starts(length: int, block: int) -> list[int]:
    starts = list(range(0, length - block + 1, block // 2))
    # Include the last rows.
    return starts if starts[-1] == length - block else [*starts, length - block]


def _spectra(image: Tensor, places: list[tuple[int, int]], block: int, stride: int) -> Tensor:
    """Return the spectra of blocks at the LR frequencies, shape (n, block, block)."""
    side = block * stride
    blocks = torch.stack(
        [
            image[top * stride : top * stride + side, left * stride : left * stride + side]
            for top, left in places
        ]
    )
    # Sampled at the centres of pixels, so that the window is the same in HR and LR.
    taper = torch.sin(math.pi * (torch.arange(side, dtype=torch.float64) + 0.5) / side) ** 2
    window = taper[:, None] * taper
    mean = (blocks * window).sum((1, 2), keepdim=True) / window.sum()
    spectrum: Tensor = torch.fft.fft2((blocks - mean) * window)
    if stride == 1:
        return spectrum
    kept = torch.fft.fftfreq(block, 1 / block).long()  # 0 .. block/2 - 1, -block/2 .. -1
    spectrum = spectrum[:, kept % side][:, :, kept % side] / stride**2
    # LR pixel i is centred at HR pixel stride * i + (stride - 1) / 2.
    angle = math.pi * (stride - 1) / side * kept.double()
    turn = torch.polar(torch.ones_like(angle), angle)
    return spectrum * turn[:, None] * turn[None, :]


def displacement(
    image: Tensor, reference: Tensor, block: int, stride: int = 1, most: int = 1024
) -> tuple[float, float] | None:
    """Measure the displacement of an image against another one of the same scene.

    A plane is fitted to the phase of the cross spectrum, which gain, noise and symmetric blur do
    not affect. Blocks have the same position in both images, which biases the first estimate
    towards zero by a few per cent, so the image is moved back and measured again.

    Args:
        image: An LR image, float64, shape (h, w).
        reference: Another one, or HR, shape (stride h, stride w).
        block: Side of the blocks in LR pixels, even.
        stride: Pixels of the reference per LR pixel.
        most: Most blocks.

    Returns:
        (row, column) in LR pixels; positive if the image is displaced downwards and to the right.
        None if the two have too little in common.

    Raises:
        DataError: If the images are smaller than a block.
    """
    from scipy.ndimage import shift as moved

    total = (0.0, 0.0)
    back = image
    for _ in range(_ROUNDS):
        found = _phase_shift(cross_spectra((back, reference), block, (1, stride), most))
        if found is None:
            return None
        total = (total[0] + found[0], total[1] + found[1])
        if math.hypot(*found) < _SETTLED:
            break
        # Splines of degree 5 preserve the band; always from the original.
        spline = moved(image.numpy(), (-total[0], -total[1]), order=5, mode="mirror")
        back = torch.from_numpy(spline)
    return total


def _phase_shift(spectra: CrossSpectra) -> tuple[float, float] | None:
    """Fit a plane to the phase between image 0 and image 1."""
    rows, columns = frequencies(spectra.block)
    cross = spectra.products[0, 1]
    # Nothing below the noise of 8-bit rounding counts, however well it agrees.
    rounding = (3 * spectra.block / 8) ** 2 / 12
    powers = (spectra.power(0) + rounding) * (spectra.power(1) + rounding) * spectra.blocks**2
    floor = 1 / spectra.blocks
    coherence = cross.abs() ** 2 / powers
    # With few blocks even unrelated images have some coherence: 1 / blocks on average.
    coherence = ((coherence - floor) / max(1 - floor, 1e-9)).clamp(0, _GREATEST_COHERENCE)
    # Hamon and Hannan's weights: the information of a coherence about the phase.
    weight = coherence / (1 - coherence)
    radius = torch.hypot(rows.expand_as(weight), columns.expand_as(weight))
    weight = torch.where((radius > 0) & (radius <= _SHIFT_BAND), weight, 0.0)
    if float(weight.sum()) < _LEAST_EVIDENCE:
        return None
    direction = cross / cross.abs().clamp_min(1e-12)
    # F_image = F_reference exp(-2 pi i f d): the correlation has its peak at d.
    peak = torch.fft.ifft2(weight.sqrt() * direction).real
    half = spectra.block // 2
    start = divmod(int(peak.argmax()), spectra.block)
    shift = torch.tensor(
        [float((place + half) % (2 * half) - half) for place in start], dtype=torch.float64
    )
    grid = torch.stack([rows.expand_as(weight), columns.expand_as(weight)]).flatten(1)
    flat, weights = direction.flatten(), weight.flatten()
    normal = (grid * weights) @ grid.T
    if float(torch.linalg.det(normal)) <= _LEAST_SPREAD * float(normal.trace()) ** 2:
        return None
    for _ in range(20):
        turn = 2 * math.pi * (shift[:, None] * grid).sum(0)
        phase = torch.angle(flat * torch.polar(torch.ones_like(turn), turn))
        step = torch.linalg.solve(normal, -(grid * weights) @ phase) / (2 * math.pi)
        shift = shift + step
        if float(step.norm()) < 1e-6:
            break
    return float(shift[0]), float(shift[1])


def rings(block: int) -> tuple[Tensor, Tensor]:
    """Group the frequencies of a block by their distance from zero.

    Args:
        block: Side of a block.

    Returns:
        The middle of each ring in cycles per pixel, shape (block / 2 - 1,), from 1 / block to
        below 1 / 2; and the ring of each frequency, shape (block, block), -1 for none.
    """
    rows, columns = frequencies(block)
    ring = torch.round(torch.hypot(rows.expand(block, block), columns.expand(block, block)) * block)
    count = block // 2 - 1
    index = torch.where((ring >= 1) & (ring <= count), ring - 1, -1.0).long()
    return (torch.arange(count, dtype=torch.float64) + 1) / block, index


def ring_sums(values: Tensor) -> Tensor:
    """Add up values of the frequencies (block, block) in each ring, shape (block / 2 - 1,)."""
    centres, index = rings(values.shape[-1])
    chosen = index >= 0
    total = torch.zeros(len(centres), dtype=values.dtype)
    return total.index_add_(0, index[chosen], values[chosen])


def transfer_curve(spectra: CrossSpectra, image: int, reference: int) -> Tensor:
    """Return how much of each frequency of a reference an image keeps.

    Only the part in phase with the reference counts, so noise and aliasing have no influence.

    Args:
        spectra: Spectra without shift (:meth:`CrossSpectra.shifted`).
        image: Index of the image.
        reference: Index of the reference, the HR image.

    Returns:
        The transfer function, 1 for what is unchanged, shape (block / 2 - 1,).
    """
    shared = ring_sums(spectra.products[image, reference].real)
    return shared / ring_sums(spectra.products[reference, reference].real).clamp_min(1e-12)


def half_width(frequency: Tensor, transfer: Tensor) -> float:
    """Return where a transfer function falls to half of its start (MTF50).

    Args:
        frequency: Cycles per pixel, rising, shape (R,).
        transfer: The transfer function there, shape (R,).

    Returns:
        The linearly interpolated frequency; 0.5 (the sampling limit) if it does not fall that far,
        NaN if it starts at 0 or below.
    """
    if not len(transfer) or not float(transfer[0]) > 0:
        return math.nan
    relative = transfer / transfer[0]
    below = (relative < 0.5).nonzero().flatten()
    if not len(below):
        return 0.5
    index = int(below[0])
    high, low = float(relative[index - 1]), float(relative[index])
    share = (high - 0.5) / (high - low)
    return float(frequency[index - 1] + share * (frequency[index] - frequency[index - 1]))


def decibel_distance(first: Tensor, second: Tensor) -> float:
    """Return the root mean square of the ratio of two power curves in dB: (R,) and (R,)."""
    least = 1e-12
    ratio = 10 * torch.log10(first.clamp_min(least) / second.clamp_min(least))
    return float(ratio.square().mean().sqrt())
