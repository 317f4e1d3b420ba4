"""What the kernel prediction networks of RealSR share: their trunk and kernel branches."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import draw_he
from realdeg.backbones.parts.common import ResidualBlock
from realdeg.errors import ConfigError

Init = Literal["identity", "msra"]

FOLD = 4
"""How many times coarser the trunk's grid is than the image's."""


class KernelTrunk(nn.Module):
    """Pixel unshuffle by 4, a convolution, residual blocks, a convolution, and the first added.

    Args:
        channels: Channels of the image.
        features: Channels of the trunk, a multiple of 16.
        num_blocks: Residual blocks.
    """

    def __init__(self, channels: int, features: int, num_blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels * FOLD**2, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(num_blocks)))
        self.tail = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Run on (B, channels, H, W), sides divisible by 4."""
        head = self.head(_fold(image))
        return self.tail(self.body(head)).add(head)


class KernelBranch(nn.Sequential):
    """Shuffle the trunk's features to a finer grid and predict one kernel for each pixel.

    Args:
        features: Channels of the trunk, and of the two hidden layers.
        factor: How many times finer the grid is than the trunk's: 1, 2 or 4.
        kernel_size: Side k of the kernels.

    Shape:
        (B, features, h, w) -> (B, k * k, factor * h, factor * w)
    """

    def __init__(self, features: int, factor: int, kernel_size: int) -> None:
        super().__init__(
            nn.PixelShuffle(factor),
            nn.Conv2d(features // factor**2, features, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, kernel_size**2, 3, padding=1),
        )

    def start_from_identity(self) -> None:
        """Predict about 1 in every kernel's centre and 0 around it, for any features."""
        hidden, last = self[3], self[5]
        assert isinstance(hidden, nn.Conv2d) and isinstance(last, nn.Conv2d)
        assert last.bias is not None
        with torch.no_grad():
            # Adam moves all weights of a tap by the same step: the smaller the features, the less
            # the first steps disturb the kernels. Not 0, as gradients pass through them.
            hidden.weight.mul_(0.3)
            last.weight.mul_(0.01)
            last.bias.zero_()
            last.bias[last.out_channels // 2] = 1


def _fold(image: Tensor) -> Tensor:
    """Unshuffle (B, C, H, W) to (B, 16 C, H / 4, W / 4); torch's own fails on empty batches."""
    blocks = image.unflatten(3, (image.shape[3] // FOLD, FOLD))
    blocks = blocks.unflatten(2, (image.shape[2] // FOLD, FOLD))
    return blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


class KernelPrediction(Backbone):
    """A network that predicts kernels on the HR grid; subclasses add branches and apply them."""

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"
    size_multiple = FOLD

    def __init__(
        self,
        scale: int,
        same_size: bool,
        num_blocks: int,
        num_features: int,
        colour: Colour,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        if num_features % FOLD**2:
            raise ConfigError(
                f"num_features of {type(self).__name__} is {num_features}: it must be divisible by"
                f" {FOLD**2}."
            )
        self.trunk = KernelTrunk(self.channels, num_features, num_blocks)

    def initialise(self, init: Init) -> None:
        """Initialise weights after He et al. (2015) and biases with zero.

        Args:
            init: ``"msra"`` leaves it at that, as the released solver does: each residual block
                doubles the variance, the kernels do not sum to 1, and the first results have
                nothing to do with the input. ``"identity"`` reduces residuals to a tenth and
                starts from kernels of about 1 in their centre, which pass the input through.
        """
        draw_he(self)
        if init == "msra":
            return
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                with torch.no_grad():
                    module.conv2.weight.mul_(0.1)
            elif isinstance(module, KernelBranch):
                module.start_from_identity()
