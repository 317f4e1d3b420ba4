"""What networks on wavelet bands share: how far they see, and the order of colours and bands."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

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


def by_colour(bands: Tensor, groups: int) -> Tensor:
    """Turn channels that are band after band into colour after colour, or the other way round.

    Args:
        bands: Shape (B, groups * n, h, w), in groups of n channels.
        groups: How many groups there are now; afterwards they are what lies within.

    Returns:
        The same shape.
    """
    return bands.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
