"""Convolutions with reflection padding, and 1x1 convolutions without biases."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ReflectionPad(nn.Module):
    """Pad each side by one reflected pixel; a side of one pixel is replicated."""

    def forward(self, image: Tensor) -> Tensor:
        """Pad (B, C, H, W)."""
        mode = "reflect" if min(image.shape[-2:]) > 1 else "replicate"
        return F.pad(image, (1, 1, 1, 1), mode=mode)


class ReflectConv(nn.Module):
    """A 3x3 convolution with reflection padding."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # The convolution's key is conv.1: padding is a module in the released weights.
        self.conv = nn.Sequential(ReflectionPad(), nn.Conv2d(in_channels, out_channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.conv(features)


class CompressionConv(nn.Module):
    """A 1x1 convolution without biases."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.conv1(features)
