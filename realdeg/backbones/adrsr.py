"""ADRSR: three EDSR-like networks, from a quarter of the input's size upwards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number, initialise
from realdeg.backbones.parts.common import ResidualBlock, pad_to_multiple
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class Stage(nn.Module):
    """One EDSR-like network that enlarges its input.

    Args:
        channels: Channels in: 3, or 6 where the result of the coarser stage comes first.
        factor: Output over input size; 4 is done in two steps of 2.
        features: Channels within.
        num_blocks: Residual blocks.
    """

    def __init__(self, channels: int, factor: int, features: int, num_blocks: int) -> None:
        super().__init__()
        self.steps = [2, 2] if factor == 4 else [factor]
        self.head = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features, 0.1) for _ in range(num_blocks)))
        self.body_out = nn.Conv2d(features, features, 3, padding=1)
        self.pre = nn.Conv2d(features, features, 3, padding=1)
        self.up = nn.Conv2d(features, 3 * self.steps[0] ** 2, 3, padding=1)
        self.up2 = nn.Conv2d(3, 12, 3, padding=1) if factor == 4 else None

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (B, C, h, w) to (B, 3, factor * h, factor * w)."""
        features = self.head(image)
        features = self.body_out(self.body(features)) + features
        image = F.pixel_shuffle(self.up(self.pre(features)), self.steps[0])
        return image if self.up2 is None else F.pixel_shuffle(self.up2(image), 2)


@BACKBONES.register_module()
class ADRSR(Backbone):
    """Adaptive-resolution network of the Duke team's x8 track.

    The input is averaged to half and quarter size. The first network enlarges the quarter, the
    second its result and the half, the third that result and the input. The mean colour of each
    whole image is subtracted first. 117,369,132 parameters at x8, 116,954,568 at x4. The authors
    clip the result to [0, 255]; here the task does, as for every network.

    Args:
        scale: 4 or 8.
        num_features: Channels.
        num_blocks: Residual blocks of each of the three networks.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Bei, Damian, Hu, Menon, Ravi, Rudin, New Techniques for Preserving Global Structure and
        Denoising With Low Information Loss in Single-Image Super-Resolution, CVPRW 2018, and
        websterbei/EDSR_tensorflow. Keys are realdeg's own.
    """

    colour = "rgb"
    value_range = 255.0
    scales = (4, 8)
    upsample = "progressive"
    size_multiple = 4
    whole_image = True
    example_arguments = {"scale": 4, "num_features": 4, "num_blocks": 1}

    def __init__(
        self,
        scale: Scale = 8,
        num_features: Number = 256,
        num_blocks: Number = 32,
    ) -> None:
        super().__init__(scale=scale)
        self.stage1 = Stage(3, 2, num_features, num_blocks)
        self.stage2 = Stage(6, 2, num_features, num_blocks)
        self.stage3 = Stage(6, scale, num_features, num_blocks)
        self.out_conv = nn.Conv2d(3, 3, 3, padding=1)
        initialise(self, nn.init.xavier_uniform_)  # TensorFlow's default

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        height, width = self.output_size(*lr.shape[-2:])
        mean = self._mean(lr)
        image = pad_to_multiple(lr - mean, self.size_multiple)
        half = F.avg_pool2d(image, 2)
        below = self.stage1(F.avg_pool2d(half, 2))
        below = self.stage2(torch.cat([below, half], 1))
        below = self.stage3(torch.cat([below, image], 1))
        return self.out_conv(below)[..., :height, :width] + mean

    def _mean(self, image: Tensor) -> Tensor:
        """Return each image's mean colour, the only global dependency; tests replace it."""
        return image.mean((-2, -1), keepdim=True)
