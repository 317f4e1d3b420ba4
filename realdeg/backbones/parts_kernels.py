"""What the kernel prediction networks of RealSR share: their trunk, and a branch of kernels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.errors import ConfigError

FOLD = 4
"""The trunk works on a grid that many times coarser than the image's."""


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, and the input added.

    Args:
        features: Channels.

    Shape:
        (B, features, h, w) -> the same.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, features, h, w)."""
        return features + self.conv2(torch.relu_(self.conv1(features)))


class KernelTrunk(nn.Module):
    """Pixel unshuffle by 4, a convolution, residual blocks, a convolution, and the first added.

    Args:
        channels: Channels of the image.
        features: Channels of the trunk, a multiple of 16.
        num_blocks: Residual blocks.

    Shape:
        (B, channels, H, W) -> (B, features, H / 4, W / 4)

    Raises:
        ConfigError: If the channels cannot be spread over the finer grids.
    """

    def __init__(self, channels: int, features: int, num_blocks: int) -> None:
        super().__init__()
        if features < 1 or features % FOLD**2 or num_blocks < 0:
            raise ConfigError(
                f"the trunk needs num_features divisible by {FOLD**2} and num_blocks of 0 or more,"
                f" got {features} and {num_blocks}."
            )
        self.head = nn.Conv2d(channels * FOLD**2, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(num_blocks)))
        self.tail = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Run on (B, channels, H, W), sides divisible by 4."""
        head = self.head(_fold(image))
        return self.tail(self.body(head)).add(head)


class KernelBranch(nn.Sequential):
    """Spread the trunk over a finer grid and predict one kernel for each of its pixels.

    Args:
        features: Channels of the trunk, and of the two hidden layers.
        factor: How many times finer than the trunk's grid: 1, 2 or 4.
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


def _fold(image: Tensor) -> Tensor:
    """Rearrange (B, C, H, W) to (B, 16 C, H / 4, W / 4); torch's own fails on empty batches."""
    blocks = image.unflatten(3, (image.shape[3] // FOLD, FOLD))
    blocks = blocks.unflatten(2, (image.shape[2] // FOLD, FOLD))
    return blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def initialise_kernels(network: nn.Module) -> None:
    """Draw weights after He et al. (2015), as the released solver does; biases start at zero.

    Args:
        network: Every convolution in it is drawn anew.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def kernel_reach(num_blocks: int, factor: int, pixel: int) -> tuple[int, int]:
    """Say which pixels of the image a predicted kernel is made from.

    Args:
        num_blocks: Residual blocks of the trunk.
        factor: The branch's factor.
        pixel: The kernel's place on the branch's grid.

    Returns:
        First and last pixel of the image, along one axis.
    """
    trunk = 2 * num_blocks + 2
    first, last = (pixel - 3) // factor - trunk, (pixel + 3) // factor + trunk
    return FOLD * first, FOLD * last + FOLD - 1
