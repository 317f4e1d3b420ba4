"""``torch.vmap`` for the operators: the mapped axis is folded into the batch."""

from __future__ import annotations

from collections.abc import Sequence
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
    placement: str = "after",
) -> tuple[Tensor, int]:
    (images, fields), kernels = _fold(info.batch_size, in_dims, (x, weights), bases)
    result = torch.ops.realdeg.kernel_apply(images, fields, kernels, stride, padding, placement)
    return result.unflatten(0, (info.batch_size, -1)), 0


def _kernel_apply_keeping(
    info: Any,
    in_dims: tuple[Any, ...],
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    (images, fields), kernels = _fold(info.batch_size, in_dims, (x, weights), bases)
    results = torch.ops.realdeg.kernel_apply_keeping(images, fields, kernels, stride, padding)
    result, kept = (tensor.unflatten(0, (info.batch_size, -1)) for tensor in results)
    return (result, kept), (0, 0)


def _kernel_apply_adjoint(
    info: Any,
    in_dims: tuple[Any, ...],
    lr: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    size: Sequence[int],
    placement: str = "after",
) -> tuple[Tensor, int]:
    (images, fields), kernels = _fold(info.batch_size, in_dims, (lr, weights), bases)
    result = torch.ops.realdeg.kernel_apply_adjoint(
        images, fields, kernels, stride, padding, size, placement
    )
    return result.unflatten(0, (info.batch_size, -1)), 0


def _fold(
    size: int, in_dims: tuple[Any, ...], batched: tuple[Tensor, Tensor], bases: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Fold the mapped axis of image, weights and bases into the batch."""
    leading = [_lead(tensor, dim, size) for tensor, dim in zip(batched, in_dims, strict=False)]
    batch = leading[0].shape[1]
    folded = [tensor.flatten(0, 1) for tensor in leading]
    mapped = in_dims[2] is not None
    axes = bases.ndim - mapped
    if not mapped and (axes == 3 or (axes == 5 and bases.shape[0] == 1)):
        return folded, bases
    bases = _lead(bases, in_dims[2], size)
    if axes == 3:
        # One set per mapped call, shared by the images of its batch.
        bases = bases[:, None]
    return folded, bases.expand(-1, batch, *bases.shape[2:]).flatten(0, 1)


def _pixel_kernel_apply(
    info: Any, in_dims: tuple[Any, ...], x: Tensor, kernels: Tensor, stride: int, padding: str
) -> tuple[Tensor, int]:
    size = info.batch_size
    images = _lead(x, in_dims[0], size)
    fields = _lead(kernels, in_dims[1], size).flatten(0, 1)
    result = torch.ops.realdeg.pixel_kernel_apply(images.flatten(0, 1), fields, stride, padding)
    return result.unflatten(0, (size, images.shape[1])), 0


torch.library.register_vmap("realdeg::kernel_apply", _kernel_apply)
torch.library.register_vmap("realdeg::kernel_apply_keeping", _kernel_apply_keeping)
torch.library.register_vmap("realdeg::kernel_apply_adjoint", _kernel_apply_adjoint)
torch.library.register_vmap("realdeg::pixel_kernel_apply", _pixel_kernel_apply)
