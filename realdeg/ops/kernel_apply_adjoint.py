"""``kernel_apply_adjoint``: the transpose of ``kernel_apply``, as an operator of its own.

``<kernel_apply(x), y> = <x, kernel_apply_adjoint(y)>`` for all x and y, whatever the padding and
the stride: what iterative reconstruction (least squares, proximal methods, unrolled networks)
needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from realdeg.ops.dispatch import cast_for_autocast
from realdeg.ops.forms import check_forms, derivatives
from realdeg.ops.mixing import working_dtype
from realdeg.ops.padding import check_together
from realdeg.utils.precision import full_precision


def kernel_apply_adjoint(
    lr: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int = 1,
    padding: str = "reflect",
    size: tuple[int, int] | None = None,
    placement: str = "after",
) -> Tensor:
    """Apply the transpose of :func:`realdeg.ops.kernel_apply` to an image on the LR grid.

    Args:
        lr: Image on the grid of kernel_apply's result, shape (B, C, h, w).
        weights: As kernel_apply takes them.
        bases: As kernel_apply takes them.
        stride: As kernel_apply takes it: pixels of the result per pixel of ``lr``.
        padding: As kernel_apply takes it; the transpose adds what was padded back to the pixels it
            was copied from.
        size: Height and width (H, W) of the result. ``None`` is ``stride`` times those of ``lr``
            (with ``valid`` padding the least that gives h x w whole windows).
        placement: As kernel_apply takes it.

    Returns:
        Shape (B, C, H, W), dtype of ``lr``; under autocast that of autocast.

    Raises:
        ValueError: If shapes, dtypes, devices, stride, padding or placement do not match.
    """
    lr, bases = cast_for_autocast(lr, bases)
    if size is None:
        size = _least_size(lr, bases, stride, padding)
    return torch.ops.realdeg.kernel_apply_adjoint(
        lr, weights, bases, stride, padding, list(size), placement
    )


def _least_size(lr: Tensor, bases: Tensor, stride: int, padding: str) -> tuple[int, int]:
    height, width = lr.shape[-2] * stride, lr.shape[-1] * stride
    if padding != "valid":
        return height, width
    return height - stride + bases.shape[-2], width - stride + bases.shape[-1]


def _check(
    lr: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    size: Sequence[int],
    placement: str,
) -> tuple[int, int, int, int]:
    name = "kernel_apply_adjoint"
    check_together(name, lr=lr, weights=weights, bases=bases)
    if lr.ndim != 4:
        raise ValueError(f"{name}: lr must be (B, C, h, w), got shape {tuple(lr.shape)}")
    if len(size) != 2:
        raise ValueError(f"{name}: size is (height, width) of the result, got {tuple(size)}")
    shape = (lr.shape[0], lr.shape[1], size[0], size[1])
    grid = check_forms(name, shape, weights, bases, stride, padding, placement)
    if (lr.shape[2], lr.shape[3]) != grid:
        raise ValueError(
            f"{name}: lr must be {grid[0]} x {grid[1]} for a result of {size[0]} x {size[1]},"
            f" stride {stride} and {padding} padding, got {lr.shape[2]} x {lr.shape[3]}"
        )
    return shape


@torch.library.custom_op("realdeg::kernel_apply_adjoint", mutates_args=())
def _kernel_apply_adjoint(
    lr: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    size: Sequence[int],
    placement: str = "after",
) -> Tensor:
    shape = _check(lr, weights, bases, stride, padding, size, placement)
    if lr.numel() == 0 or weights.numel() == 0:
        return lr.new_zeros(shape)
    dtype = working_dtype(lr, weights, bases)
    # Only the image's shape counts where no other gradient is asked for.
    x = lr.new_zeros((1, 1, 1, 1), dtype=dtype).expand(shape)
    with full_precision(lr):
        image, _, _ = derivatives(
            lr.to(dtype), x, weights, bases.to(dtype), stride, padding, placement,
            [True, False, False],
        )  # fmt: skip
    assert image is not None
    return image.to(lr.dtype)


@_kernel_apply_adjoint.register_fake
def _(
    lr: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    size: Sequence[int],
    placement: str = "after",
) -> Tensor:
    return lr.new_empty(_check(lr, weights, bases, stride, padding, size, placement))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    lr, weights, bases, stride, padding, _, placement = inputs
    ctx.save_for_backward(lr, weights, bases)
    ctx.stride, ctx.padding, ctx.placement = stride, padding, placement


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    # <g, A* y> = <A g, y>: the gradient of y is A g, and those of weights and bases are those of
    # kernel_apply with g as the image and y as the gradient.
    lr, weights, bases = ctx.saved_tensors
    need_lr, need_weights, need_bases = ctx.needs_input_grad[:3]
    field = kernels = image = None
    if need_lr:
        image = torch.ops.realdeg.kernel_apply(
            grad, weights, bases, ctx.stride, ctx.padding, ctx.placement
        )
    if need_weights or need_bases:
        _, field, kernels = torch.ops.realdeg.kernel_apply_backward(
            lr, grad, weights, bases, ctx.stride, ctx.padding,
            False, need_weights, need_bases, ctx.placement,
        )  # fmt: skip
    return (
        image, field if need_weights else None, kernels if need_bases else None,
        None, None, None, None,
    )  # fmt: skip


_kernel_apply_adjoint.register_autograd(_backward, setup_context=_setup_context)
