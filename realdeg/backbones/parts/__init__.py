"""What networks are made of: layers, blocks and sums that more than one of them needs.

The names here are for networks of anybody; the modules below belong to families of ours.
"""

from __future__ import annotations

from realdeg.backbones.parts.common import (
    MeanShift,
    Upsampler,
    pad_to_multiple,
    post_upsampling_halo,
    pre_upsampling_halo,
)

__all__ = [
    "MeanShift",
    "Upsampler",
    "pad_to_multiple",
    "post_upsampling_halo",
    "pre_upsampling_halo",
]
