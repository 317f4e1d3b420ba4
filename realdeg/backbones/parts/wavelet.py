"""What networks on wavelet bands share: padding, and the order of colours and bands."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.wavelets import pad_even


def even(image: Tensor) -> Tensor:
    """Do as ``pad_even``, and support the symbolic sizes of torch.export."""
    height, width = image.shape[-2:]
    if isinstance(height, int):
        return pad_even(image)
    return F.pad(image, (0, width % 2, 0, height % 2), mode="replicate")


def by_colour(bands: Tensor, groups: int) -> Tensor:
    """Reorder channels from band-major to colour-major, or back: (B, groups * n, h, w)."""
    return bands.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
