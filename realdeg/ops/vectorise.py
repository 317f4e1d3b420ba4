"""``torch.vmap`` for the operators: the mapped axis is folded into the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__: list[str] = []


def _lead(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """Return a tensor with the mapped axis first, expanded where it has none."""
    if dim is None:
        return tensor.expand(size, *tensor.shape)
    return tensor.movedim(dim, 0)


def _kernel_apply(
    info: Any,
    in_dims: tuple[Any, ...],
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
) -> tuple[Tensor, int]:
    size = info.batch_size
    images = _lead(x, in_dims[0], size)
    fields = _lead(weights, in_dims[1], size).flatten(0, 1)
    batch = images.shape[1]
    if in_dims[2] is not None or bases.ndim == 4:
        bases = _lead(bases, in_dims[2], size)
        if bases.ndim == 4:
            # One set per mapped call, shared by the images of its batch.
            bases = bases[:, None].expand(-1, batch, -1, -1, -1)
        bases = bases.flatten(0, 1)
    result = torch.ops.realdeg.kernel_apply(images.flatten(0, 1), fields, bases, stride, padding)
    return result.unflatten(0, (size, batch)), 0


def _pixel_kernel_apply(
    info: Any, in_dims: tuple[Any, ...], x: Tensor, kernels: Tensor, stride: int, padding: str
) -> tuple[Tensor, int]:
    size = info.batch_size
    images = _lead(x, in_dims[0], size)
    fields = _lead(kernels, in_dims[1], size).flatten(0, 1)
    result = torch.ops.realdeg.pixel_kernel_apply(images.flatten(0, 1), fields, stride, padding)
    return result.unflatten(0, (size, images.shape[1])), 0


torch.library.register_vmap("realdeg::kernel_apply", _kernel_apply)
torch.library.register_vmap("realdeg::pixel_kernel_apply", _pixel_kernel_apply)
