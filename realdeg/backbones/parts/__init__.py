"""Building blocks of networks. The names exported here suit any network.

The modules below belong to realdeg's own families of networks.
"""

from __future__ import annotations

from realdeg.backbones.parts.common import (
    MeanShift,
    Upsampler,
    pad_to_multiple,
    post_upsampling_halo,
)

__all__ = [
    "MeanShift",
    "Upsampler",
    "pad_to_multiple",
    "post_upsampling_halo",
]
