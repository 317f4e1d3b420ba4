"""Operators in a form that ONNX can follow for images of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def friendlier() -> dict[Any, Callable[..., Tensor]]:
    """Return what to hand to ``run_decompositions`` beside ``realdeg.ops.decompositions()``.

    Returns:
        A function for each operator whose translation by torch holds for one size only, or fails.
    """
    return {
        aten.remainder.Scalar: _remainder,
        aten._adaptive_avg_pool2d.default: _pool_to_grid,
        aten.adaptive_avg_pool2d.default: _pool_to_grid,
    }


def _remainder(x: Tensor, n: Any) -> Tensor:
    # torch's own takes no n that depends on the image's size.
    divisor = aten.scalar_tensor.default(n, dtype=x.dtype)
    return x - aten.floor_divide.default(x, divisor) * divisor


def _pool_to_grid(x: Tensor, size: Sequence[int]) -> Tensor:
    # torch's own lists the pixels of each cell, as many as the example has. A cell's mean is a
    # matrix product with ones where the cell lies.
    if tuple(size) == (1, 1):
        return x.mean((2, 3), keepdim=True)
    rows = _cells(x, x.shape[2], size[0])
    columns = _cells(x, x.shape[3], size[1])
    return torch.matmul(torch.matmul(rows, x), columns.transpose(0, 1))


def _cells(x: Tensor, length: int, count: int) -> Tensor:
    """Return each cell's weights over an axis, (count, length)."""
    number = torch.arange(count, device=x.device)[:, None]
    first = torch.div(number * length, count, rounding_mode="floor")
    # From the floor of a cell's first border to the ceiling of its last.
    end = torch.div((number + 1) * length + count - 1, count, rounding_mode="floor")
    place = torch.arange(length, device=x.device)[None]
    inside = (place >= first) & (place < end)
    return inside.to(x.dtype) / (end - first).to(x.dtype)
