"""The restorers and estimators of DAN v1 and v2, under the names of greatlog/DAN (4c4de00)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Channel attention, under the public keys ``body.0`` and ``body.2``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 16, 1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(inner, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Scale the channels of (B, C, h, w)."""
        return features * self.body(features.mean((-2, -1), keepdim=True))


class ConditionalBlock(nn.Module):
    """DANv1's block: image features see the condition's, which stay as they are."""

    def __init__(self, channels: int, told: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels + told, channels + told, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels + told, channels, 3, padding=1),
            Attention(channels),
        )

    def forward(self, features: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C, h, w) and the condition."""
        return features + self.body(torch.cat([features, told], 1)), told


class DualPathBlock(nn.Module):
    """DANv2's block: the condition's features gate those of the image, and both go on."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.body1, self.body2 = (
            nn.Sequential(
                nn.Conv2d(channels, channels, side, padding=side // 2),
                nn.LeakyReLU(0.2),
                nn.Conv2d(channels, channels, side, padding=side // 2),
            )
            for side in (3, kernel)
        )

    def forward(self, features: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of both paths."""
        gate = self.body2(told)
        return features + self.body1(features) * gate, told + gate


class Group(nn.Module):
    """Blocks of DANv2 one after another; the results of both paths are doubled.

    The authors' code adds the group's input, but its blocks have changed that in place, so what is
    added is the result itself. Their weights were trained so.
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.body = nn.ModuleList(blocks)

    def forward(self, features: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of both paths."""
        for block in self.body:
            features, told = block(features, told)
        return 2 * features, 2 * told


def _upscale(channels: int, scale: int) -> nn.Sequential:
    steps = [2, 2] if scale == 4 else [scale]
    layers: list[nn.Module] = []
    for factor in steps:
        layers += [nn.Conv2d(channels, channels * factor**2, 3, padding=1)]
        layers += [nn.PixelShuffle(factor)]
    return nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1))


class RestorerV1(nn.Module):
    """The image from LR and the kernel's code, which every block sees."""

    def __init__(self, scale: int, channels: int, blocks: int, code: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(ConditionalBlock(channels, code) for _ in range(blocks))
        self.fusion = nn.Conv2d(channels, channels, 3, padding=1)
        self.upscale = _upscale(channels, scale)

    def forward(self, lr: Tensor, code: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) by codes (B, K)."""
        features, told = self.head(lr), code[:, :, None, None].expand(-1, -1, *lr.shape[-2:])
        for block in self.body:
            features, told = block(features, told)
        return self.upscale(self.fusion(features))


class RestorerV2(nn.Module):
    """The image from LR and the kernel's code, on two paths."""

    def __init__(self, scale: int, channels: int, blocks: int, groups: int, code: int) -> None:
        super().__init__()
        self.head1 = nn.Conv2d(3, channels, 3, padding=1)
        self.head2 = nn.Conv2d(code, channels, 1)
        self.body = nn.ModuleList(
            Group(DualPathBlock(channels, 1) for _ in range(blocks)) for _ in range(groups)
        )
        self.fusion = nn.Conv2d(channels, channels, 3, padding=1)
        self.upscale = _upscale(channels, scale)

    def forward(self, lr: Tensor, code: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) by codes (B, K)."""
        features, told = self.head1(lr), self.head2(code[:, :, None, None])
        for group in self.body:
            features, told = group(features, told)
        return self.upscale(self.fusion(features))


class EstimatorV1(nn.Module):
    """The kernel's code from LR and the image."""

    def __init__(self, scale: int, channels: int, blocks: int, code: int) -> None:
        super().__init__()
        self.head_LR = nn.Conv2d(3, channels, 1)
        self.head_HR = nn.Conv2d(3, channels, 9, scale, 4)
        self.body = nn.ModuleList(ConditionalBlock(channels, channels) for _ in range(blocks))
        self.out = nn.Conv2d(channels, code, 3, padding=1)

    def forward(self, image: Tensor, lr: Tensor) -> Tensor:
        """Return codes (B, K)."""
        features, told = self.head_LR(lr), self.head_HR(image)
        for block in self.body:
            features, told = block(features, told)
        return self.out(features).mean((-2, -1))


class EstimatorV2(nn.Module):
    """The kernel from LR and the image."""

    def __init__(self, scale: int, channels: int, blocks: int, kernel_size: int) -> None:
        super().__init__()
        self.head_LR = nn.Sequential(nn.Conv2d(3, channels, 5, padding=2))
        self.head_HR = nn.Sequential(nn.Conv2d(3, channels, 4 * scale + 1, scale, 2 * scale))
        self.body = Group(DualPathBlock(channels, 3) for _ in range(blocks))
        # In the authors' list a pooling follows the first, and a softmax the second.
        self.tail = nn.ModuleDict(
            {
                "0": nn.Conv2d(channels, 2 * channels, 3, padding=1),
                "2": nn.Conv2d(2 * channels, kernel_size**2, 1),
            }
        )

    def forward(self, image: Tensor, lr: Tensor) -> Tensor:
        """Return kernels (B, k * k), row by row, each with sum 1."""
        features, _ = self.body(self.head_LR(lr), self.head_HR(image))
        pooled = self.tail["0"](features).mean((-2, -1), keepdim=True)
        return F.softmax(self.tail["2"](pooled).flatten(1), 1)
