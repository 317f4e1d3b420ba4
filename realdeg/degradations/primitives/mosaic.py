"""Colour filter arrays: what a sensor records of a colour image, and demosaicing."""

from __future__ import annotations

import functools
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.borders import pad

Pattern = Literal["RGGB", "BGGR", "GRBG", "GBRG"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
"""The Bayer patterns: colours of rows 0 and 1 at columns 0 and 1."""

DEMOSAIC_METHODS = ("bilinear", "malvar")

# Filters times 8, by what they estimate: green at red or blue; at green the colour of the row's
# neighbours, then of the column's; blue at red and red at blue.
_BILINEAR = (
    ((0, 2, 0), (2, 0, 2), (0, 2, 0)),
    ((0, 0, 0), (4, 0, 4), (0, 0, 0)),
    ((0, 4, 0), (0, 0, 0), (0, 4, 0)),
    ((2, 0, 2), (0, 0, 0), (2, 0, 2)),
)
_MALVAR = (
    ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0)),
    ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0)),
    ((0, 0, -1, 0, 0), (0, -1, 4, -1, 0), (0.5, 0, 5, 0, 0.5), (0, -1, 4, -1, 0), (0, 0, -1, 0, 0)),
    (
        (0, 0, -1.5, 0, 0),
        (0, 2, 0, 2, 0),
        (-1.5, 0, 6, 0, -1.5),
        (0, 2, 0, 2, 0),
        (0, 0, -1.5, 0, 0),
    ),
)


def bayer_mosaic(x: Tensor, pattern: str = "RGGB") -> Tensor:
    """Keep one colour per pixel.

    Args:
        x: RGB images, shape (B, 3, H, W), of any height and width.
        pattern: One of :data:`PATTERNS`.

    Returns:
        Raw images, shape (B, 1, H, W).

    Raises:
        ValueError: If the images are not RGB or the pattern is unknown.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"a mosaic is made of (B, 3, H, W), got {tuple(x.shape)}")
    return mosaic_gains(x, pattern, sites=True)


def mosaic_gains(values: Tensor, pattern: str, sites: bool = False) -> Tensor:
    """Arrange values of R, G and B as the pattern does, for instance gains on a raw image.

    Args:
        values: One value per colour, shape (B, 3, 1, 1), for a tile of the pattern; or, with
            ``sites``, whole images, shape (B, 3, H, W).
        pattern: One of :data:`PATTERNS`.
        sites: Whether ``values`` has a value for each pixel.

    Returns:
        Shape (B, 1, 2, 2), or (B, 1, H, W) with ``sites``.

    Raises:
        ValueError: If the pattern is unknown.
    """
    channels = _channels(pattern)
    size = values.shape[2:] if sites else (2, 2)
    arranged = values.new_empty(values.shape[0], 1, *size)
    for row in (0, 1):
        for column in (0, 1):
            chosen = values[:, channels[row][column]]
            site = chosen[:, row::2, column::2] if sites else chosen
            arranged[:, 0, row::2, column::2] = site
    return arranged


def demosaic(raw: Tensor, pattern: str = "RGGB", method: str = "bilinear") -> Tensor:
    """Estimate the two missing colours of every pixel; the border mirrors the mosaic.

    Args:
        raw: Raw images, shape (B, 1, H, W).
        pattern: One of :data:`PATTERNS`.
        method: ``"bilinear"``, or ``"malvar"``: Malvar, He & Cutler, "High-quality linear
            interpolation for demosaicing of Bayer-patterned color images" (ICASSP 2004), which
            corrects by the gradient of the known colour and may leave [0, 1].

    Returns:
        RGB images, shape (B, 3, H, W); what was measured is kept.

    Raises:
        ValueError: If the images are not raw, or the pattern or the method is unknown.
    """
    if raw.ndim != 4 or raw.shape[1] != 1:
        raise ValueError(f"demosaic takes (B, 1, H, W), got {tuple(raw.shape)}")
    if method not in DEMOSAIC_METHODS:
        raise ValueError(f"demosaic knows {', '.join(DEMOSAIC_METHODS)}, got {method!r}")
    channels = _channels(pattern)
    filters = _filters(method).to(raw)
    # Mirrored about the last pixel, the pattern continues beyond the border.
    reach = (filters.shape[-1] // 2,) * 2
    estimates = F.conv2d(pad(raw, reach, reach, "reflect"), filters)
    green, along_row, along_column, opposite = estimates.unbind(1)
    rgb = raw.expand(-1, 3, -1, -1).clone()
    for row in (0, 1):
        for column in (0, 1):
            site = (slice(None), slice(row, None, 2), slice(column, None, 2))
            here = channels[row][column]
            if here == 1:
                missing = {channels[row][1 - column]: along_row}
                missing[channels[1 - row][column]] = along_column
            else:
                missing = {1: green, 2 - here: opposite}
            for channel, estimate in missing.items():
                rgb[:, channel][site] = estimate[site]
    return rgb


def as_colour(x: Tensor) -> Tensor:
    """Repeat a grey image for R, G and B: (B, 1 or 3, H, W) to (B, 3, H, W)."""
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x


def as_channels(x: Tensor, channels: int) -> Tensor:
    """Return an RGB image, or its luminance (BT.601) where one channel is wanted."""
    if channels == 3:
        return x
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype, device=x.device)
    return (x * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def _channels(pattern: str) -> tuple[tuple[int, int], tuple[int, int]]:
    if pattern not in PATTERNS:
        raise ValueError(f"Bayer patterns are {', '.join(PATTERNS)}, got {pattern!r}")
    first, second, third, fourth = ("RGB".index(colour) for colour in pattern)
    return (first, second), (third, fourth)


@functools.lru_cache(maxsize=2)
def _filters(method: str) -> Tensor:
    return torch.tensor(_MALVAR if method == "malvar" else _BILINEAR)[:, None].float() / 8
