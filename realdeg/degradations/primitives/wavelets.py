"""The Haar wavelet of images, one level and as a packet of all bands, with exact inverses.

One level transforms every 2 x 2 block. With its pixels p q (upper row) and r s (lower row), the
bands are, up to a form's signs,

- coarse: (p + q + r + s) / 2,
- across, left against right: (p - q + r - s) / 2,
- down, upper against lower: (p + q - r - s) / 2,
- diagonal: (p - q - r + s) / 2.

The transform is orthonormal: it keeps the sum of squares, and its inverse is its transpose.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class HaarForm(NamedTuple):
    """Order and sign of the bands; weights are valid for one form only.

    Args:
        across_first: Whether the across band is the second and the down band the third.
        sign: 1: left minus right and upper minus lower; -1: the reverse. The coarse and
            the diagonal band are the same in both.
    """

    across_first: bool
    sign: int


PYWT = HaarForm(across_first=False, sign=1)
"""PyWavelets' ``dwt2(x, "haar")`` and MATLAB's: coarse, horizontal (down), vertical, diagonal."""

PACKET = HaarForm(across_first=True, sign=1)
"""Wavelet-SRNet's."""

MWCNN_V1 = HaarForm(across_first=False, sign=-1)
"""MWCNN's in MatConvNet."""

MWCNN_V2 = HaarForm(across_first=True, sign=-1)
"""MWCNN's in PyTorch."""


def haar(x: Tensor, form: HaarForm = PYWT) -> Tensor:
    """Take one level of the orthonormal Haar wavelet.

    Args:
        x: Images of even sides, shape (B, C, H, W).
        form: Order and sign of the bands.

    Returns:
        Shape (B, 4 C, H / 2, W / 2): the C coarse channels, then those of each detail band.

    Raises:
        ValueError: If a side is odd; :func:`pad_even` makes it even.

    Examples:
        >>> haar(torch.tensor([[[[1.0, 2.0], [3.0, 8.0]]]])).flatten().tolist()
        [7.0, -4.0, -3.0, 2.0]
    """
    if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
        raise ValueError(f"haar needs (B, C, H, W) with even H and W, got {tuple(x.shape)}")
    upper, lower = x[..., ::2, :], x[..., 1::2, :]
    smooth = upper + lower
    rough = upper - lower if form.sign > 0 else lower - upper
    coarse, across = _left_right(smooth, form.sign)
    down, diagonal = _left_right(rough, form.sign)
    middle = (across, down) if form.across_first else (down, across)
    return torch.cat((coarse, *middle, diagonal), 1).mul_(0.5)


def inverse_haar(bands: Tensor, form: HaarForm = PYWT) -> Tensor:
    """Invert :func:`haar`.

    Args:
        bands: Shape (B, 4 C, h, w).
        form: Order and sign of the bands.

    Returns:
        Images, shape (B, C, 2 h, 2 w).

    Raises:
        ValueError: If the channels are not four bands.
    """
    if bands.ndim != 4 or bands.shape[1] % 4:
        raise ValueError(f"inverse_haar needs (B, 4 C, h, w), got {tuple(bands.shape)}")
    coarse, second, third, diagonal = bands.chunk(4, 1)
    across, down = (second, third) if form.across_first else (third, second)
    left = torch.add(coarse, across, alpha=form.sign)
    right = torch.sub(coarse, across, alpha=form.sign)
    # The upper minus the lower pixel, in either column.
    left_rough = torch.add(diagonal, down, alpha=form.sign)
    right_rough = torch.mul(down, form.sign).sub_(diagonal)
    block = (left + left_rough, right + right_rough, left - left_rough, right - right_rough)
    return F.pixel_shuffle(torch.stack(block, 2).mul_(0.5).flatten(1, 2), 2)


def haar_packet(x: Tensor, levels: int, form: HaarForm = PACKET) -> Tensor:
    """Transform all bands again at every level: 4 ** levels bands of one size.

    Args:
        x: Images of sides divisible by ``2 ** levels``, shape (B, C, H, W).
        levels: Number of levels, 0 or more.
        form: Order and sign of the bands of one level.

    Returns:
        Shape (B, 4 ** levels * C, H / 2 ** levels, W / 2 ** levels), band after band. A band's
        number in base 4 has a digit for each level, the finest level's first.

    Raises:
        ValueError: If a side cannot be halved that often.
    """
    batch = x.shape[0]
    bands = x
    for _ in range(levels):
        # Bands are moved into the batch, so that each is transformed separately.
        bands = haar(bands, form)
        bands = torch.unflatten(bands, 1, (4, x.shape[1])).flatten(0, 1)
    return bands.reshape(batch, 4**levels * x.shape[1], *bands.shape[2:])


def inverse_haar_packet(bands: Tensor, levels: int, form: HaarForm = PACKET) -> Tensor:
    """Invert :func:`haar_packet`.

    Args:
        bands: Shape (B, 4 ** levels * C, h, w).
        levels: Number of levels.
        form: Order and sign of the bands of one level.

    Returns:
        Images, shape (B, C, 2 ** levels * h, 2 ** levels * w).

    Raises:
        ValueError: If the channels are not that many bands.
    """
    batch, total = bands.shape[:2]
    if total % 4**levels:
        raise ValueError(f"{total} channels are not {4**levels} bands")
    channels = total // 4**levels
    x = bands
    for level in reversed(range(levels)):
        x = inverse_haar(x.reshape(batch * 4**level, 4 * channels, *x.shape[2:]), form)
    return x


def pad_even(x: Tensor) -> Tensor:
    """Repeat the last row and column of odd sides: PyWavelets' and MATLAB's symmetric extension.

    Args:
        x: Images, shape (B, C, H, W).

    Returns:
        Images of even sides; ``x`` itself if they are even.
    """
    bottom, right = x.shape[2] % 2, x.shape[3] % 2
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def _left_right(rows: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """Return sum and difference of the columns of every pair."""
    left, right = rows[..., ::2], rows[..., 1::2]
    return left + right, left - right if sign > 0 else right - left
