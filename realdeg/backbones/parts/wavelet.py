"""What networks on wavelet bands share: how far they see, and the order of colours and bands."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import torch.nn.functional as F
from torch import Tensor

from realdeg.backbones.parts.reach import Span, bicubic_span
from realdeg.degradations.primitives.wavelets import pad_even


def even(image: Tensor) -> Tensor:
    """Do as ``pad_even``, also where torch.export gives symbols for the sizes.

    Args:
        image: (B, C, H, W).
    """
    height, width = image.shape[-2:]
    if isinstance(height, int):
        return pad_even(image)
    return F.pad(image, (0, width % 2, 0, height % 2), mode="replicate")


def haar_span(span: Span) -> Span:
    """Return the pixels that a span of one level's bands is made from.

    The way back, from pixels to bands, is ``shuffle_span(span, 2)``.

    Args:
        span: First and last pixel of the bands, along one axis.
    """
    return 2 * span[0], 2 * span[1] + 1


def pre_upsampling_reach(
    trace: Callable[[Span], Span], multiple: int, scale: int, same_size: bool
) -> int:
    """Return the halo of a network on the interpolated image whose pixels do not see alike.

    Args:
        trace: Follows a span of output pixels back to pixels of the interpolated image.
        multiple: The network works on blocks of that many of them.
        scale: The scale that the image is interpolated by.
        same_size: The image is on the HR grid already.

    Returns:
        LR pixels, those of the bicubic kernel included.
    """
    factor = 1 if same_size else scale
    reaches = [0]
    for pixel in range(math.lcm(multiple, factor)):
        first, last = trace((pixel, pixel))
        if factor > 1:
            first, last = bicubic_span((first, last), Fraction(factor))
        reaches += [pixel // factor - first, last - pixel // factor]
    return max(reaches)


def by_colour(bands: Tensor, groups: int) -> Tensor:
    """Turn channels that are band after band into colour after colour, or the other way round.

    Args:
        bands: Shape (B, groups * n, h, w), in groups of n channels.
        groups: How many groups there are now; afterwards they are what lies within.

    Returns:
        The same shape.
    """
    return bands.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
