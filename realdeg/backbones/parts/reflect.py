"""Convolutions that continue the image by reflection, and 1x1 convolutions without biases."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ReflectionPad(nn.Module):
    """Continue each side by one reflected pixel; one pixel alone is repeated.

    Shape:
        (B, C, H, W) -> (B, C, H + 2, W + 2)
    """

    def forward(self, image: Tensor) -> Tensor:
        """Pad (B, C, H, W)."""
        mode = "reflect" if min(image.shape[-2:]) > 1 else "replicate"
        return F.pad(image, (1, 1, 1, 1), mode=mode)


class ReflectConv(nn.Module):
    """A 3x3 convolution on an image that is continued by reflection.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.

    Shape:
        (B, in_channels, H, W) -> (B, out_channels, H, W)
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # The convolution's key is conv.1: padding is a module of its own in the released weights.
        self.conv = nn.Sequential(ReflectionPad(), nn.Conv2d(in_channels, out_channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.conv(features)


class CompressionConv(nn.Module):
    """A 1x1 convolution without biases.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.conv1(features)
