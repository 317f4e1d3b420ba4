"""``pixel_kernel_apply``: filter each pixel with its own free kernel.

The operation of kernel prediction networks (Mildenhall et al., CVPR 2018) and of DirectKPN, the
baseline in DML (ACCV 2020). The k * k shifted images are processed one at a time instead of
being stacked (``unfold``), so memory stays close to that of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from realdeg.ops.dispatch import cast_for_autocast, compute_dtype, triton_path, use_triton
from realdeg.ops.padding import check_together, check_windows, output_size, pad, pad_adjoint


def pixel_kernel_apply(
    x: Tensor, kernels: Tensor, stride: int = 1, padding: str = "reflect"
) -> Tensor:
    """Filter each pixel with its own kernel (correlation).

    Args:
        x: Image, shape (B, C, H, W).
        kernels: Shape (B, k * k, H / stride, W / stride), taps in row-major order, one field for
            all channels.
        stride: Input pixels per output pixel; windows lie as in :func:`realdeg.ops.kernel_apply`.
        padding: ``reflect``, ``replicate``, ``zeros``, ``circular`` or ``valid``.

    Returns:
        Shape (B, C, H / stride, W / stride), dtype of ``x``; under autocast that of autocast.

    Raises:
        ValueError: If shapes, dtypes, devices, stride or padding do not match.
    """
    (x,) = cast_for_autocast(x)
    return torch.ops.realdeg.pixel_kernel_apply(x, kernels, stride, padding)


def _check(x: Tensor, kernels: Tensor, stride: int, padding: str) -> int:
    name = "pixel_kernel_apply"
    check_together(name, x=x, kernels=kernels)
    taps = kernels.shape[1] if kernels.ndim == 4 else 0
    kernel_size = round(taps**0.5)
    if kernels.ndim != 4 or kernel_size < 1 or kernel_size**2 != taps:
        raise ValueError(f"{name}: kernels must be (B, k * k, h, w), got {tuple(kernels.shape)}")
    check_windows(name, x.shape, kernel_size, stride, padding)
    expected = (
        x.shape[0],
        taps,
        output_size(x.shape[2], kernel_size, stride, padding),
        output_size(x.shape[3], kernel_size, stride, padding),
    )
    if tuple(kernels.shape) != expected:
        raise ValueError(
            f"{name}: kernels must be {expected} for x {tuple(x.shape)} and stride {stride}, got"
            f" {tuple(kernels.shape)}"
        )
    return kernel_size


def _shifts(
    padded: Tensor, kernel_size: int, stride: int, size: torch.Size
) -> Iterator[tuple[int, Tensor]]:
    """Yield each tap's index and its view of the padded image, shape (B, C, h, w)."""
    rows, columns = (size[2] - 1) * stride + 1, (size[3] - 1) * stride + 1
    for tap in range(kernel_size**2):
        dy, dx = divmod(tap, kernel_size)
        yield tap, padded[..., dy : dy + rows : stride, dx : dx + columns : stride]


@torch.library.custom_op("realdeg::pixel_kernel_apply", mutates_args=())
def _pixel_kernel_apply(x: Tensor, kernels: Tensor, stride: int, padding: str) -> Tensor:
    kernel_size = _check(x, kernels, stride, padding)
    shape = (x.shape[0], x.shape[1], *kernels.shape[2:])
    if x.numel() == 0 or kernels.numel() == 0:
        return x.new_zeros(shape)
    if use_triton(x, kernels):
        padded = pad(x, kernel_size, stride, padding)
        return triton_path("pixel_kernel_apply").forward(padded, kernels, stride)
    dtype = compute_dtype(x, kernels)
    padded = pad(x.to(dtype), kernel_size, stride, padding)
    result = padded.new_zeros(shape)
    for tap, shifted in _shifts(padded, kernel_size, stride, kernels.shape):
        result.addcmul_(kernels[:, tap, None].to(dtype), shifted)
    return result.to(x.dtype)


@_pixel_kernel_apply.register_fake
def _(x: Tensor, kernels: Tensor, stride: int, padding: str) -> Tensor:
    _check(x, kernels, stride, padding)
    return x.new_empty((x.shape[0], x.shape[1], kernels.shape[2], kernels.shape[3]))


@torch.library.custom_op("realdeg::pixel_kernel_apply_backward", mutates_args=())
def _pixel_kernel_apply_backward(
    grad: Tensor,
    x: Tensor,
    kernels: Tensor,
    stride: int,
    padding: str,
    need_x: bool,
    need_kernels: bool,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and kernels; one not needed is empty."""
    if grad.numel() == 0:
        return torch.zeros_like(x), torch.zeros_like(kernels)
    kernel_size = _check(x, kernels, stride, padding)
    dtype = compute_dtype(x, kernels)
    shape = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    if use_triton(grad, x, kernels):
        path = triton_path("pixel_kernel_apply")
        padded = pad(x, kernel_size, stride, padding)
        grad_kernels = kernels.new_empty(0)
        if need_kernels:
            grad_kernels = path.backward_kernels(
                grad, padded, kernels.shape, stride, dtype=kernels.dtype
            )
        if not need_x:
            return x.new_empty(0), grad_kernels
        size = (padded.shape[2], padded.shape[3])
        # In float32 until the padding is folded back.
        grad_padded = path.backward_padded(grad, kernels, stride, size, dtype=torch.float32)
        folded = pad_adjoint(grad_padded, shape, kernel_size, stride, padding)
        return folded.to(x.dtype), grad_kernels
    grad = grad.to(dtype)
    padded = pad(x.to(dtype), kernel_size, stride, padding)
    grad_padded = torch.zeros_like(padded) if need_x else padded
    grad_kernels = (
        torch.empty_like(kernels, memory_format=torch.contiguous_format)
        if need_kernels
        else kernels.new_empty(0)
    )
    targets = _shifts(grad_padded, kernel_size, stride, kernels.shape)
    for (tap, shifted), (_, target) in zip(
        _shifts(padded, kernel_size, stride, kernels.shape), targets, strict=True
    ):
        if need_x:
            target.addcmul_(kernels[:, tap, None].to(dtype), grad)
        if need_kernels:
            products = grad * shifted
            grad_kernels[:, tap] = products[:, 0] if products.shape[1] == 1 else products.sum(1)
    if not need_x:
        return x.new_empty(0), grad_kernels
    grad_x = pad_adjoint(grad_padded, shape, kernel_size, stride, padding)
    return grad_x.to(x.dtype), grad_kernels


@_pixel_kernel_apply_backward.register_fake
def _(
    grad: Tensor, x: Tensor, kernels: Tensor, stride: int, padding: str, *needs: bool
) -> tuple[Tensor, Tensor]:
    pairs = zip((x, kernels), needs, strict=True)
    grad_x, grad_kernels = (t.new_empty(t.shape if need else 0) for t, need in pairs)
    return grad_x, grad_kernels


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, kernels, stride, padding = inputs
    ctx.save_for_backward(x, kernels)
    ctx.stride, ctx.padding = stride, padding


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    x, kernels = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:2])
    gradients = torch.ops.realdeg.pixel_kernel_apply_backward(
        grad, x, kernels, ctx.stride, ctx.padding, *needs
    )
    return (*[g if need else None for g, need in zip(gradients, needs, strict=True)], None, None)


_pixel_kernel_apply.register_autograd(_backward, setup_context=_setup_context)
