"""A network of depth-wise separable convolutions: a concept, not from a paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler
from realdeg.backbones.readings import count, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class SeparableBlock(nn.Module):
    """A residual block of two depth-wise separable 3x3 convolutions."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.dw1 = nn.Conv2d(features, features, 3, padding=1, groups=features)
        self.pw1 = nn.Conv2d(features, features, 1)
        self.dw2 = nn.Conv2d(features, features, 3, padding=1, groups=features)
        self.pw2 = nn.Conv2d(features, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        inner = torch.relu_(self.pw1(self.dw1(features)))
        return features + self.pw2(self.dw2(inner))


@BACKBONES.register_module()
class DepthwiseSR(Backbone):
    """EDSR's small form with depth-wise separable convolutions in its blocks.

    A concept that reproduces no paper: Nie et al. used such convolutions in the PIRM 2018
    smartphone challenge, but their layers are not published, so do not compare results with
    theirs. 341,763 parameters at x2, 526,403 at x3, 489,475 at x4 (without the mean shift's 24
    values).

    Args:
        scale: 2, 3 or 4.
        features: Channels.
        num_blocks: Separable blocks.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Idea: Ignatov, Timofte et al., PIRM Challenge on Perceptual Image Enhancement on
        Smartphones, ECCVW 2018. Shape: Lim et al., Enhanced Deep Residual Networks for Single
        Image Super-Resolution, CVPRW 2017. Keys are realdeg's own; there are no public weights.
    """

    colour: Colour = "rgb"
    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    form_readings = {
        "scale": shuffled(r"tail\.0\.\d+\.weight", size("head.0.weight")),
        "features": size("head.0.weight"),
        "num_blocks": count(r"body\.(\d+)\.dw1\.weight"),
    }
    example_arguments = {"scale": 2, "features": 6, "num_blocks": 2}

    def __init__(self, scale: Scale = 4, features: Number = 64, num_blocks: Number = 16) -> None:
        super().__init__(scale=scale)
        self.sub_mean, self.add_mean = MeanShift(255.0, -1), MeanShift(255.0, +1)
        self.head = nn.Sequential(nn.Conv2d(3, features, 3, padding=1))
        self.body = nn.Sequential(
            *(SeparableBlock(features) for _ in range(num_blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.tail = nn.Sequential(Upsampler(scale, features), nn.Conv2d(features, 3, 3, padding=1))

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        features = self.head(self.sub_mean(lr))
        return self.add_mean(self.tail(features + self.body(features)))
