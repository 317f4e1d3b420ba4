"""Attention over a whole image without holding all of its scores in memory.

An image of n pixels has n x n scores, gigabytes from a few hundred pixels per side on. These
functions hold a slice of them at a time, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

SLICE = 1 << 24
"""Scores held at a time per image of a batch."""


def attend_everywhere(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average values (B, m, c) by a softmax over all keys (B, m, d), with unscaled scores.

    The queries are (B, n, d), the result (B, n, c); c >= d.
    """
    # torch's fused attention needs one width for all three, and contiguous tokens: otherwise it
    # writes out all scores. Zeros add nothing to a product.
    grown = value.shape[-1] - query.shape[-1]
    if grown:
        query, key = F.pad(query, (0, grown)), F.pad(key, (0, grown))
    found = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)
    return found[:, 0]


def attend_by_query(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average values (B, m, c) by a softmax over the queries, so that each key distributes itself.

    Queries are (B, n, d), keys (B, m, d), and the result is (B, n, c).
    """

    def part(keys: Tensor, values: Tensor) -> Tensor:
        # Along rows, which torch sums in parts: over 65,536 queries float32 would be off by 6e-5.
        return (keys @ query.transpose(1, 2)).softmax(2).transpose(1, 2) @ values

    step = slice_length(query.shape[1])
    if key.shape[1] <= step:
        return part(key, value)
    pieces = zip(key.split(step, 1), value.split(step, 1), strict=True)
    total = recomputed(part, *next(pieces))
    for keys, values in pieces:
        total = total + recomputed(part, keys, values)
    return total


def slice_length(others: int) -> int:
    """Return how many rows of scores, each of length ``others``, are held at a time."""
    return max(SLICE // max(others, 1), 1)


def recomputed(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Call a function without random numbers; recompute it for gradients instead of storing it."""
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer's parameters to zero, so that the attention it ends does nothing at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def as_tokens(features: Tensor) -> Tensor:
    """Rearrange (B, C, H, W) to (B, H * W, C), contiguous per token."""
    return features.flatten(2).transpose(1, 2).contiguous()


def as_image(tokens: Tensor, height: int, width: int) -> Tensor:
    """Invert :func:`as_tokens`: from (B, height * width, C)."""
    return tokens.transpose(1, 2).unflatten(2, (height, width))


def to_blocks(features: Tensor, side: int) -> Tensor:
    """Flatten blocks of a map, channel by channel.

    Args:
        features: (B, C, H, W), H and W multiples of ``side``.
        side: The blocks' side in pixels.

    Returns:
        (B, H / side, W / side, C * side ** 2).
    """
    batch, channels, height, width = features.shape
    rows, columns = height // side, width // side
    blocks = features.reshape(batch, channels, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(batch, rows, columns, channels * side**2)


def from_blocks(blocks: Tensor, side: int) -> Tensor:
    """Invert :func:`to_blocks`."""
    batch, rows, columns, length = blocks.shape
    channels = length // side**2
    image = blocks.reshape(batch, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return image.reshape(batch, channels, rows * side, columns * side)
