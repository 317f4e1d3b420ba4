"""The discriminator of low-quality images in Bulat et al.'s High-to-Low."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.discriminators.spectral import normalised
from realdeg.errors import ConfigError
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count, Whole


@DISCRIMINATORS.register_module()
class BulatDiscriminator(Discriminator):
    """Residual blocks under spectral normalisation: one logit for each image.

    The first block has no activation in front; halving is by averaging. After the last block come
    ReLU, the mean over all positions (the authors' 4 x 4 average at their sizes) and a linear
    layer.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of every block.
        halvings: Number of blocks that halve the image: 2 for images of 16 pixels, 4 for 64.
        blocks: Number of blocks after those: 3 for images of 16 pixels, 1 for 64.

    Shape:
        (B, C, H, W) to (B, 1).

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Bulat, Yang, Tzimiropoulos, To learn image super-resolution, use a GAN to learn how to do
        image degradation first, ECCV 2018 (jingyang2017/Face-and-Image-super-resolution); the
        paper's figure shows six blocks.
    """

    def __init__(
        self, in_channels: Channels = 3, width: Count = 128, halvings: Whole = 2, blocks: Whole = 3
    ) -> None:
        super().__init__(in_channels)
        if not halvings + blocks:
            raise ConfigError(
                "BulatDiscriminator needs at least one block: halvings and blocks are both 0."
            )
        self.halvings = halvings
        parts: list[nn.Module] = []
        channels: int = in_channels
        for index in range(halvings + blocks):
            parts.append(_Block(channels, width, halve=index < halvings, first=index == 0))
            channels = width
        self.blocks = nn.Sequential(*parts)
        self.last = normalised(nn.Linear(width, 1))

    @property
    def least_size(self) -> int:
        """The size that leaves one pixel after all halvings."""
        return 2**self.halvings

    def judge(self, images: Tensor) -> Tensor:
        """Return one logit per image; the network works on [-1, 1]."""
        features = F.relu(self.blocks(2 * images - 1))
        return self.last(features.mean((2, 3)))


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, halve: bool, first: bool) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = normalised(nn.Conv2d(channels_in, channels_out, 3, padding=1))
        self.conv2 = normalised(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        same = channels_in == channels_out and not halve
        self.skip = None if same else normalised(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(x if self.first else F.relu(x))
        inner = self.conv2(F.relu(inner))
        if self.halve:
            # Averaging and a 1 x 1 convolution commute; this order is cheaper.
            inner, x = F.avg_pool2d(inner, 2), F.avg_pool2d(x, 2)
        return inner + (x if self.skip is None else self.skip(x))
