"""ADRSR: three EDSR-like networks, from a quarter of the input's size upwards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

RESIDUAL_SCALE = 0.1


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution; a tenth of it is added to the input.

    Args:
        features: Channels.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        change = self.conv2(F.relu(self.conv1(features), inplace=True))
        return torch.add(features, change, alpha=RESIDUAL_SCALE)


class Stage(nn.Module):
    """One EDSR-like network that enlarges its input.

    Args:
        channels: Channels in: 3, or 6 with the result of the stage below in front.
        factor: How many times larger the output is; 4 is made in two steps of 2.
        features: Channels within.
        num_blocks: Residual blocks.
    """

    def __init__(self, channels: int, factor: int, features: int, num_blocks: int) -> None:
        super().__init__()
        self.steps = [2, 2] if factor == 4 else [factor]
        self.head = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(num_blocks)))
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

    The input is halved and quartered by averaging. A network enlarges the quarter to the half's
    size, a second one sees both and makes the full size, a third one sees that and the input and
    makes the result. The mean colour of each image is taken off first, over the whole image.
    117,369,132 parameters at x8, 116,954,568 at x4. The authors clip the result to [0, 255] inside;
    here the task does that, as for every network.

    Args:
        scale: How much resolution is lost: 4 or 8.
        num_features: Channels.
        num_blocks: Residual blocks of each of the three networks.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If sizes make no network.

    Source:
        Bei, Damian, Hu, Menon, Ravi, Rudin, New Techniques for Preserving Global Structure and
        Denoising With Low Information Loss in Single-Image Super-Resolution, CVPRW 2018, and
        websterbei/EDSR_tensorflow. There is no PyTorch code to follow: keys are our own.
    """

    colour = "rgb"
    value_range = 255.0
    scales = (4, 8)
    upsample = "progressive"
    size_multiple = 4
    whole_image = True

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
        self._initialise()

    @classmethod
    def example(cls) -> ADRSR:
        """Return a network of 1 block per stage, 4 wide."""
        return cls(scale=4, num_features=4, num_blocks=1)

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
        """Return the mean colour of each image, the one thing that reaches everywhere."""
        return image.mean((-2, -1), keepdim=True)

    def _initialise(self) -> None:
        """Draw weights after Glorot and Bengio (2010), TensorFlow's default; biases are zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
