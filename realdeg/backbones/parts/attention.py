"""Attention over a whole image without ever holding all of its scores.

An image of n pixels has n x n scores, gigabytes from a few hundred pixels a side. What follows
holds a slice of them at a time; the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

SLICE = 1 << 24
"""Scores held at a time, for each image of a batch."""


def attend_everywhere(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average values by a softmax over all keys, scores not scaled.

    Args:
        query: (B, n, d).
        key: (B, m, d).
        value: (B, m, c), c >= d.

    Returns:
        (B, n, c).
    """
    # torch's fused attention wants one width for all three, and each token in one piece: otherwise
    # it writes all scores out. Zeros add nothing to a product.
    grown = value.shape[-1] - query.shape[-1]
    if grown:
        query, key = F.pad(query, (0, grown)), F.pad(key, (0, grown))
    found = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)
    return found[:, 0]


def attend_by_query(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average values by a softmax over the queries, so that each key hands itself out.

    Args:
        query: (B, n, d).
        key: (B, m, d).
        value: (B, m, c).

    Returns:
        (B, n, c).
    """

    def part(keys: Tensor, values: Tensor) -> Tensor:
        # Along rows, which torch sums in parts: down 65,536 queries float32 would be 6e-5 off.
        return (keys @ query.transpose(1, 2)).softmax(2).transpose(1, 2) @ values

    step = slice_length(query.shape[1])
    if key.shape[1] <= step:
        return part(key, value)
    pieces = zip(key.split(step, 1), value.split(step, 1), strict=True)
    total = frugally(part, *next(pieces))
    for keys, values in pieces:
        total = total + frugally(part, keys, values)
    return total


def slice_length(others: int) -> int:
    """Return how many rows of scores are held at a time.

    Args:
        others: The length of a row.
    """
    return max(SLICE // max(others, 1), 1)


def frugally(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Call a function; where gradients are wanted, compute it again for them instead of keeping it.

    Args:
        function: What to call; it draws no random numbers.
        *inputs: Its arguments.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer's weights and biases to zero.

    Args:
        layer: The last layer of an attention, which does nothing at the start.

    Returns:
        The same layer.
    """
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def as_tokens(features: Tensor) -> Tensor:
    """Lay (B, C, H, W) out as (B, H * W, C), each token in one piece."""
    return features.flatten(2).transpose(1, 2).contiguous()


def as_image(tokens: Tensor, height: int, width: int) -> Tensor:
    """Undo :func:`as_tokens`.

    Args:
        tokens: (B, height * width, C).
        height: Rows.
        width: Columns.
    """
    return tokens.transpose(1, 2).unflatten(2, (height, width))


def to_blocks(features: Tensor, side: int) -> Tensor:
    """Lay the pixels of each block side by side, channel after channel.

    Args:
        features: (B, C, H, W), H and W multiples of the block's side.
        side: The blocks' side in pixels.

    Returns:
        (B, H / side, W / side, C * side ** 2).
    """
    batch, channels, height, width = features.shape
    rows, columns = height // side, width // side
    blocks = features.reshape(batch, channels, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(batch, rows, columns, channels * side**2)


def from_blocks(blocks: Tensor, side: int) -> Tensor:
    """Undo :func:`to_blocks`.

    Args:
        blocks: (B, rows, columns, C * side ** 2).
        side: The blocks' side in pixels.

    Returns:
        (B, C, rows * side, columns * side).
    """
    batch, rows, columns, numbers = blocks.shape
    channels = numbers // side**2
    image = blocks.reshape(batch, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return image.reshape(batch, channels, rows * side, columns * side)
