"""The level and the spectrum of noise, in blocks where the scene is flat.

Flat blocks are chosen on the HR image, whose noise is independent of that in the LR images, so the
choice does not bias the measurement.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

# Levels of Y (16..235) closer to its limits may be clipped, which hides noise.
_DARKEST, _BRIGHTEST = 24.0, 227.0


@lru_cache(maxsize=8)
def cosines(size: int) -> Tensor:
    """Return the orthonormal cosine transform (DCT-II) of a size, float64, shape (size, size)."""
    place = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi * place[:, None] * (2 * place + 1) / (2 * size))
    matrix *= math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def block_cosines(image: Tensor, size: int, step: int) -> Tensor:
    """Return the DCT of the blocks of an image.

    Args:
        image: Shape (..., h, w), float64.
        size: Side of a block.
        step: Distance between blocks.

    Returns:
        Coefficients, shape (..., n, size, size); none if the image is smaller than a block.
    """
    if min(image.shape[-2:]) < size:
        return image.new_zeros(*image.shape[:-2], 0, size, size)
    blocks = image.unfold(-2, size, step).unfold(-2, size, step).flatten(-4, -3)
    matrix = cosines(size)
    return matrix @ blocks @ matrix.T


def on_lr_grid(hr: Tensor, stride: int) -> Tensor:
    """Average the HR pixels (h, w) of each LR pixel."""
    return avg_pool2d(hr[None, None], stride)[0, 0] if stride > 1 else hr


def flat_candidates(guide: Tensor, size: int, most: int = 256) -> tuple[Tensor, Tensor, int]:
    """Find the flattest blocks of an image.

    Args:
        guide: Y on the LR grid in levels of 8 bit, shape (h, w).
        size: Side of a block; blocks overlap by half.
        most: Most blocks to return.

    Returns:
        Indices of the flattest blocks in reading order, shape (m,); their measure, shape (m,), the
        guide's variance in the block plus a quarter of that in a square of twice the side around
        it; and the number of blocks. Blocks near black and white are excluded.
    """
    if min(guide.shape) < size:
        return torch.zeros(0, dtype=torch.long), guide.new_zeros(0), 0
    # Blur spreads texture into a block, so its surroundings must be flat as well.
    half = size // 2
    wide = pad(guide[None, None], (half, half, half, half), mode="replicate")[0, 0]
    mean = _block_means(guide, size, half)
    energy = _block_variances(guide, size, half) + _block_variances(wide, 2 * size, half) / 4
    fit = ((mean > _DARKEST) & (mean < _BRIGHTEST)).nonzero().flatten()
    order = energy[fit].argsort(stable=True)[:most]
    return fit[order], energy[fit][order], len(fit)


def _block_means(image: Tensor, size: int, step: int) -> Tensor:
    return avg_pool2d(image[None, None], size, stride=step).flatten()


def _block_variances(image: Tensor, size: int, step: int) -> Tensor:
    # By two means: unfolded blocks of a large image would need a gigabyte.
    centred = image - image.mean()
    square = _block_means(centred.square(), size, step)
    return (square - _block_means(centred, size, step).square()).clamp_min(0)


def counted(size: int) -> Tensor:
    """Return which coefficients of a block count as noise, shape (size, size).

    The mean and the lowest frequency of each axis are excluded, because they contain shading.
    """
    mask = torch.ones(size, size, dtype=torch.bool)
    mask[0, 0] = mask[0, 1] = mask[1, 0] = False
    return mask


def noise_level(power: Tensor) -> float:
    """Return the standard deviation of noise.

    Args:
        power: Mean squared coefficients of flat blocks, shape (size, size).

    Returns:
        Levels of 8 bit. Exact for white noise; for correlated noise, the part within a block.
    """
    return math.sqrt(float(power[counted(power.shape[-1])].mean()))


def noise_curve(power: Tensor) -> tuple[Tensor, Tensor]:
    """Return the radial noise power spectrum.

    Args:
        power: Mean squared coefficients of flat blocks, shape (size, size).

    Returns:
        Frequencies in cycles per LR pixel and the power there, levels squared, shape
        (size - 1,): sigma squared at every frequency for white noise.
    """
    size = power.shape[-1]
    place = torch.arange(size, dtype=torch.float64)
    radius = torch.hypot(place[:, None].expand(size, size), place.expand(size, size))
    ring = radius.round().long()
    curve = []
    for number in range(1, size):
        chosen = (ring == number) & counted(size)
        curve.append(float(power[chosen].mean()))
    return place[1:] / (2 * size), torch.tensor(curve, dtype=torch.float64)
