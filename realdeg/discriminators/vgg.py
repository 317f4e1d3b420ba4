"""The VGG-style discriminator that ESRGAN was trained with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.discriminators.base import Channels
from realdeg.discriminators.fixed_size import FixedSizeDiscriminator
from realdeg.errors import ConfigError
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count

SLOPE = 0.2
HIDDEN = 100
LAST = 4
"""Side in pixels of the last feature map."""


@DISCRIMINATORS.register_module()
class VGGDiscriminator(FixedSizeDiscriminator):
    """Pairs of a 3 x 3 and a halving 4 x 4 convolution down to 4 x 4 pixels, and two dense layers.

    Channels double with every pair from ``width`` to eight times as many. Batch normalisation
    follows every convolution but the first, leaky ReLU 0.2 every layer but the last. 14,499,401
    parameters at 128 pixels, 21,055,049 at 256.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer.
        size: Height and width of the images in pixels: 128, 256, or another power of two from 8.

    Shape:
        (B, C, size, size) to (B, 1).

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, ECCVW 2018,
        which only names the type. Layers and keys follow BasicSR.
    """

    def __init__(self, in_channels: Channels = 3, width: Count = 64, size: Count = 128) -> None:
        super().__init__(in_channels, width, size, divisor=2 * LAST)
        if size & (size - 1):
            raise ConfigError(f"VGGDiscriminator: size must be a power of two, got {size}.")
        self.pairs = (size // LAST).bit_length() - 1
        channels = in_channels
        for pair in range(self.pairs):
            wider = width * min(2**pair, 8)
            first = pair == 0
            smooth = nn.Conv2d(channels, wider, 3, padding=1, bias=first)
            self.add_module(f"conv{pair}_0", smooth)
            if not first:
                self.add_module(f"bn{pair}_0", nn.BatchNorm2d(wider))
            halving = nn.Conv2d(wider, wider, 4, stride=2, padding=1, bias=False)
            self.add_module(f"conv{pair}_1", halving)
            self.add_module(f"bn{pair}_1", nn.BatchNorm2d(wider))
            channels = wider
        self.linear1 = nn.Linear(channels * LAST**2, HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, 1)

    def judge(self, images: Tensor) -> Tensor:
        """Return one logit per image."""
        features = images
        for name, layer in self.named_children():
            if name.startswith("linear"):
                break
            features = layer(features)
            # A convolution with biases is not followed by a normalisation.
            if isinstance(layer, nn.BatchNorm2d) or layer.bias is not None:
                features = F.leaky_relu(features, SLOPE, inplace=True)
        features = F.leaky_relu(self.linear1(features.flatten(1)), SLOPE, inplace=True)
        return self.linear2(features)
