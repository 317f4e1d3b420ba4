"""The blocks of HAT: attention inside windows, over channels and across overlapping windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.parts.swin import run_conv
from realdeg.backbones.parts.windows import (
    DropPath,
    Perceptron,
    WindowAttention,
    attend,
    from_windows,
    position_bias,
    to_windows,
)


def overlap_index(window: int, margin: int) -> Tensor:
    """Return the bias table's index for the queries of a window and the keys of a larger one.

    Args:
        window: The side of the queries' window in pixels.
        margin: How far the keys' window extends beyond it.

    Returns:
        (window ** 2, (window + 2 * margin) ** 2), integers. The published index is negative for
        keys far up and left, which reads the table from its end.
    """
    side = window + 2 * margin
    offset = torch.arange(side) - torch.arange(window)[:, None] + 1 - 2 * margin
    index = offset[:, None, :, None] * (window + side - 1) + offset[None, :, None, :]
    return index.reshape(window**2, side**2)


class ChannelAttention(nn.Module):
    """Weight each channel by a number in (0, 1) computed from the means of all channels.

    Args:
        channels: Channels.
        squeeze: Factor by which the bottleneck has fewer channels.
    """

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // squeeze, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // squeeze, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features * self.attention(features)


class ConvBranch(nn.Module):
    """Two convolutions through few channels, and channel attention (the paper's CAB).

    Args:
        channels: Channels in and out.
        compress: Factor by which there are fewer channels between.
        squeeze: See :class:`ChannelAttention`.
    """

    def __init__(self, channels: int, compress: int, squeeze: int) -> None:
        super().__init__()
        self.cab = nn.Sequential(
            nn.Conv2d(channels, channels // compress, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels // compress, channels, 3, padding=1),
            ChannelAttention(channels, squeeze),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.cab(features)


class HybridBlock(nn.Module):
    """Window attention and a convolutional branch in parallel, then a perceptron (HAB).

    Args:
        channels: Channels.
        heads: Number of heads.
        window: The windows' side in pixels.
        shift: How far the windows are shifted, in pixels.
        compress: See :class:`ConvBranch`.
        squeeze: See :class:`ChannelAttention`.
        conv_scale: The factor of the convolutional branch.
        mlp_ratio: Hidden width over channels of the perceptron.
        drop_path: Rate at which a branch is dropped in training.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: int,
        shift: int,
        compress: int,
        squeeze: int,
        conv_scale: float,
        mlp_ratio: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.window, self.shift, self.conv_scale = window, shift, conv_scale
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, window, heads, own_index=False)
        self.conv_block = ConvBranch(channels, compress, squeeze)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Perceptron(channels, int(channels * mlp_ratio))

    def forward(self, features: Tensor, index: Tensor, masks: Tensor) -> Tensor:
        """Run on (B, H, W, C) with ``windows.position_index`` and ``windows.shift_masks``."""
        normed = self.norm1(features)
        shifted = normed.roll((-self.shift, -self.shift), (1, 2)) if self.shift else normed
        windows = to_windows(shifted, self.window)
        branch = from_windows(self.attn(windows, masks if self.shift else None, index), self.window)
        if self.shift:
            branch = branch.roll((self.shift, self.shift), (1, 2))
        features = features + self.drop_path(branch)
        features = features + self.conv_scale * run_conv(self.conv_block, normed)
        return features + self.drop_path(self.mlp(self.norm2(features)))


class OverlapAttention(nn.Module):
    """Attention of each window to a larger one around it, and a perceptron (OCAB).

    Keys and values outside the image are zero and take part.

    Args:
        channels: Channels.
        heads: Number of heads.
        window: The side of the queries' windows in pixels.
        margin: How far the keys' windows extend beyond them.
        mlp_ratio: Hidden width over channels of the perceptron.
    """

    def __init__(
        self, channels: int, heads: int, window: int, margin: int, mlp_ratio: float
    ) -> None:
        super().__init__()
        self.heads, self.window, self.margin = heads, window, margin
        table = torch.zeros((2 * window + 2 * margin - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(table)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Perceptron(channels, int(channels * mlp_ratio))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, features: Tensor, index: Tensor) -> Tensor:
        """Run on (B, H, W, C) with :func:`overlap_index`."""
        channels = features.shape[-1]
        qkv = self.qkv(self.norm1(features))
        query, both = qkv[..., :channels], qkv[..., channels:]
        queries = to_windows(query, self.window)
        batch, rows, columns, pixels, _ = queries.shape
        size = channels // self.heads
        side, edge = self.window + 2 * self.margin, self.margin
        padded = F.pad(both, (0, 0, edge, edge, edge, edge))
        keys = padded.unfold(1, side, self.window).unfold(2, side, self.window)
        keys = keys.permute(0, 1, 2, 4, 5, 3)  # (B, rows, columns, side, side, 2C)
        count = batch * rows * columns
        queries = queries.reshape(count, pixels, self.heads, size).transpose(1, 2)
        keys = keys.reshape(count, side * side, 2, self.heads, size)
        key, value = keys.permute(2, 0, 3, 1, 4)
        bias = position_bias(self.relative_position_bias_table, index)
        found = attend(queries, key, value, bias)
        found = found.reshape(batch, rows, columns, pixels, channels)
        features = self.proj(from_windows(found, self.window)) + features
        return features + self.mlp(self.norm2(features))


class HybridBlocks(nn.Module):
    """Hybrid blocks, every second one with shifted windows, and a final overlapping attention."""

    def __init__(self, blocks: list[nn.Module], overlap: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.overlap_attn = overlap

    def forward(self, features: Tensor, index: Tensor, wide_index: Tensor, masks: Tensor) -> Tensor:
        """Run on (B, H, W, C)."""
        for block in self.blocks:
            features = block(features, index, masks)
        return self.overlap_attn(features, wide_index)


class HybridGroup(nn.Module):
    """Hybrid blocks, a convolution, and the input added."""

    def __init__(self, blocks: HybridBlocks, channels: int) -> None:
        super().__init__()
        self.residual_group = blocks
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, index: Tensor, wide_index: Tensor, masks: Tensor) -> Tensor:
        """Run on (B, H, W, C)."""
        branch = self.residual_group(features, index, wide_index, masks)
        return features + run_conv(self.conv, branch)
