"""Attention inside windows of the image, for transformers of the Swin family.

Feature maps are (B, H, W, C), which a convolution in channels-last layout gives without a copy.
Scores are never stored: each window goes through torch's fused attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.parts.spans import Span

# Added to the scores of pixels that must not see each other.
BLOCKED = -100.0


def to_windows(image: Tensor, window: int) -> Tensor:
    """Cut (B, H, W, C) into windows (B, H / window, W / window, window * window, C)."""
    batch, height, width, channels = image.shape
    rows, columns = height // window, width // window
    cut = image.reshape(batch, rows, window, columns, window, channels).transpose(2, 3)
    return cut.reshape(batch, rows, columns, window * window, channels)


def from_windows(windows: Tensor, window: int) -> Tensor:
    """Invert :func:`to_windows`."""
    batch, rows, columns, _, channels = windows.shape
    image = windows.reshape(batch, rows, columns, window, window, channels).transpose(2, 3)
    return image.reshape(batch, rows * window, columns * window, channels)


def position_index(window: int) -> Tensor:
    """Return the bias table's index for each query (row) and key (column) of a window."""
    side = torch.arange(window)
    offset = side[:, None] - side + window - 1  # query minus key, from 0 up
    index = offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]
    return index.reshape(window**2, window**2)


def shift_masks(window: int, shift: int) -> Tensor:
    """Return the masks that separate pixels which only the cyclic shift brought together.

    They depend on where a window lies, not on the image's size.

    Args:
        window: The windows' side in pixels.
        shift: How far the image was rolled up and left.

    Returns:
        (4, window ** 2, window ** 2), added to the scores of windows inside, in the last column, in
        the last row, in the corner: as stored by a network trained on images of 2 x 2 windows.
    """
    wrapped = (torch.arange(window) >= window - shift).int()
    still = torch.zeros_like(wrapped)
    masks = []
    for rows, columns in ((still, still), (still, wrapped), (wrapped, still), (wrapped, wrapped)):
        part = (2 * rows[:, None] + columns).flatten()
        masks.append(torch.where(part[:, None] == part, 0.0, BLOCKED))
    return torch.stack(masks)


def window_span(span: Span, window: int, shift: int = 0, margin: int = 0) -> Span:
    """Return the pixels that attention inside windows reads for a span of output pixels.

    Args:
        span: Output pixels.
        window: The windows' side.
        shift: How far the image was rolled.
        margin: How far the keys extend beyond the window.
    """
    first = (span[0] - shift) // window * window + shift
    last = (span[1] - shift) // window * window + shift + window - 1
    return first - margin, last + margin


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a learned bias for each relative position.

    Args:
        channels: Channels; a multiple of the heads.
        window: The windows' side in pixels.
        heads: Number of heads.
        own_index: Store the table's index with this layer, as SwinIR does; else it is passed in.

    Source:
        Liu et al., Swin Transformer, ICCV 2021, equation 4.
    """

    relative_position_index: Tensor

    def __init__(self, channels: int, window: int, heads: int, own_index: bool = True) -> None:
        super().__init__()
        self.heads = heads
        table = torch.zeros((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(table)
        if own_index:
            self.register_buffer("relative_position_index", position_index(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(
        self, windows: Tensor, masks: Tensor | None = None, index: Tensor | None = None
    ) -> Tensor:
        """Attend within each window.

        Args:
            windows: (B, rows, columns, n, C).
            masks: See :func:`shift_masks`; None: the image was not shifted.
            index: See :func:`position_index`; None: the layer's own.
        """
        index = self.relative_position_index if index is None else index
        bias = position_bias(self.relative_position_bias_table, index)
        qkv = self.qkv(windows)
        if masks is None:
            return self.proj(self._attend(qkv, bias))
        # Only the last row and column of windows hold pixels that the shift brought together.
        inside, right, bottom, corner = bias + masks.to(bias.dtype)[:, None]
        above = [self._attend(qkv[:, :-1, :-1], inside), self._attend(qkv[:, :-1, -1:], right)]
        below = [self._attend(qkv[:, -1:, :-1], bottom), self._attend(qkv[:, -1:, -1:], corner)]
        return self.proj(torch.cat([torch.cat(above, 2), torch.cat(below, 2)], 1))

    def _attend(self, qkv: Tensor, bias: Tensor) -> Tensor:
        batch, rows, columns, pixels, channels = qkv.shape
        size = channels // (3 * self.heads)
        parts = qkv.reshape(batch * rows * columns, pixels, 3, self.heads, size)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = attend(query, key, value, bias)
        return found.reshape(batch, rows, columns, pixels, channels // 3)


def position_bias(table: Tensor, index: Tensor) -> Tensor:
    """Look up biases (heads, queries, keys) in a table (entries, heads) by (queries, keys)."""
    return table[index].permute(2, 0, 1)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attend with a bias and concatenate the heads, to (N, n, heads * d).

    Args:
        query: (N, heads, n, d).
        key: (N, heads, m, d).
        value: (N, heads, m, d).
        bias: (heads, n, m), added to the scores.
    """
    mask = bias[None].to(query.dtype)
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return found.transpose(1, 2).flatten(2)


class Perceptron(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (..., C)."""
        return self.fc2(F.gelu(self.fc1(features)))


class DropPath(nn.Module):
    """In training, drop a residual branch at random, independently for each image.

    Args:
        rate: Probability in [0, 1). Branches that are kept are divided by 1 - rate.

    Source:
        Huang et al., Deep Networks with Stochastic Depth, ECCV 2016.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Run on (B, ...)."""
        if not self.training or self.rate == 0:
            return branch
        stays = 1 - self.rate
        kept = torch.empty_like(branch[:, :1, :1, :1]).bernoulli_(stays)
        return branch * kept.div_(stays)
