"""The networks in front of Meta-SR's upsampling: RDN and EDSR without their own tails."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.parts.edsr import ResBlock


class DenseConv(nn.Module):
    """A 3x3 convolution and ReLU whose result is joined to the input.

    Args:
        width: Channels in.
        growth: Channels added.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(width, growth, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, width, h, w)."""
        return torch.cat([features, self.conv(features)], 1)


class ResidualDenseBlock(nn.Module):
    """Dense convolutions, a 1x1 convolution back to the width, and the input added.

    Args:
        features: Channels in and out.
        growth: Channels that each convolution adds.
        num_convs: Convolutions.

    Source:
        Zhang et al., Residual Dense Network for Image Super-Resolution, CVPR 2018.
    """

    def __init__(self, features: int, growth: int, num_convs: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(DenseConv(features + index * growth, growth) for index in range(num_convs))
        )
        self.LFF = nn.Conv2d(features + num_convs * growth, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, features, h, w)."""
        return self.LFF(self.convs(features)).add(features)


def rdn_layers(features: int, num_blocks: int, num_convs: int, growth: int) -> dict[str, nn.Module]:
    """Return the layers of RDN under their published names.

    Args:
        features: Channels G0.
        num_blocks: Residual dense blocks D.
        num_convs: Convolutions C in each.
        growth: Channels G that each adds.
    """
    return {
        "SFENet1": nn.Conv2d(3, features, 3, padding=1),
        "SFENet2": nn.Conv2d(features, features, 3, padding=1),
        "RDBs": nn.ModuleList(
            ResidualDenseBlock(features, growth, num_convs) for _ in range(num_blocks)
        ),
        "GFF": nn.Sequential(
            nn.Conv2d(num_blocks * features, features, 1),
            nn.Conv2d(features, features, 3, padding=1),
        ),
    }


def edsr_layers(features: int, num_blocks: int) -> dict[str, nn.Module]:
    """Return the layers of EDSR under their published names.

    Args:
        features: Channels.
        num_blocks: Residual blocks.
    """
    return {
        "head": nn.Sequential(nn.Conv2d(3, features, 3, padding=1)),
        "body": nn.Sequential(
            *(ResBlock(features) for _ in range(num_blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        ),
    }
