"""``kernel_apply``: filter each pixel with its own mixture of shared basis kernels.

``y(p) = sum_m w_m(p) * (phi_m correlated with x)(p)``, Eqs. 2 and 3 of DML (Xiao, Yong and Zhang,
ACCV 2020). The per-pixel kernels (225 channels for 15 x 15) are never formed: x is filtered with
each basis, and the results are summed with their weights.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.ops.padding import check_windows, output_size, pad, pad_adjoint


def kernel_apply(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int = 1, padding: str = "reflect"
) -> Tensor:
    """Filter each pixel with its own mixture of basis kernels (correlation).

    Args:
        x: Image, shape (B, C, H, W).
        weights: Mixing weights, shape (B, M, H / stride, W / stride), one field for all channels
            (with ``valid`` padding the size of the valid output).
        bases: Basis kernels, shape (M, k, k), or (B, M, k, k) for bases of each sample's own.
        stride: Input pixels per output pixel; the window of output pixel i starts at input pixel
            ``stride * i + floor((stride - k) / 2)``.
        padding: ``reflect``, ``replicate``, ``zeros``, ``circular`` or ``valid``.

    Returns:
        Shape (B, C, H / stride, W / stride), dtype of ``x``.

    Raises:
        ValueError: If shapes, stride or padding do not fit.
    """
    return torch.ops.realdeg.kernel_apply(x, weights, bases, stride, padding)


def _check(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> None:
    name = "kernel_apply"
    if bases.ndim not in (3, 4) or bases.shape[-1] != bases.shape[-2]:
        raise ValueError(
            f"{name}: bases must be (M, k, k) or (B, M, k, k), got shape {tuple(bases.shape)}"
        )
    kernel_size = bases.shape[-1]
    check_windows(name, x, kernel_size, stride, padding)
    if bases.ndim == 4 and bases.shape[0] != x.shape[0]:
        raise ValueError(
            f"{name}: bases of {bases.shape[0]} samples do not fit a batch of {x.shape[0]}"
        )
    expected = (
        x.shape[0],
        bases.shape[-3],
        output_size(x.shape[2], kernel_size, stride, padding),
        output_size(x.shape[3], kernel_size, stride, padding),
    )
    if tuple(weights.shape) != expected:
        raise ValueError(
            f"{name}: weights must be {expected} for x {tuple(x.shape)}, bases"
            f" {tuple(bases.shape)} and stride {stride}, got {tuple(weights.shape)}"
        )


def _compute_dtype(*tensors: Tensor) -> torch.dtype:
    # Half precision is accumulated in float32.
    wide = any(tensor.dtype == torch.float64 for tensor in tensors)
    return torch.float64 if wide else torch.float32


def _responses(padded: Tensor, bases: Tensor, stride: int) -> Tensor:
    """Correlate every channel with every basis: (B, C, M, h, w)."""
    batch, channels = padded.shape[:2]
    if bases.ndim == 3:
        flat = F.conv2d(padded.flatten(0, 1).unsqueeze(1), bases.unsqueeze(1), stride=stride)
        return flat.unflatten(0, (batch, channels))
    # Bases of each sample's own: samples become groups, channels become the batch.
    grouped = F.conv2d(
        padded.transpose(0, 1), bases.flatten(0, 1).unsqueeze(1), stride=stride, groups=batch
    )
    return grouped.unflatten(1, (batch, bases.shape[1])).transpose(0, 1)


@torch.library.custom_op("realdeg::kernel_apply", mutates_args=())
def _kernel_apply(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> Tensor:
    _check(x, weights, bases, stride, padding)
    if x.numel() == 0 or weights.numel() == 0:
        return x.new_zeros((x.shape[0], x.shape[1], *weights.shape[2:]))
    dtype = _compute_dtype(x, weights, bases)
    with torch.autocast(x.device.type, enabled=False):
        padded = pad(x.to(dtype), bases.shape[-1], stride, padding)
        responses = _responses(padded, bases.to(dtype), stride)
        mixed = torch.einsum("bmhw,bcmhw->bchw", weights.to(dtype), responses)
    return mixed.to(x.dtype).contiguous()


@_kernel_apply.register_fake
def _(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> Tensor:
    _check(x, weights, bases, stride, padding)
    return x.new_empty((x.shape[0], x.shape[1], weights.shape[2], weights.shape[3]))


@torch.library.custom_op("realdeg::kernel_apply_backward", mutates_args=())
def _kernel_apply_backward(
    grad: Tensor,
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    need_x: bool,
    need_weights: bool,
    need_bases: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weights and bases; those not needed are empty."""
    if grad.numel() == 0:
        return torch.zeros_like(x), torch.zeros_like(weights), torch.zeros_like(bases)
    size = bases.shape[-1]
    dtype = _compute_dtype(x, weights, bases)
    grad_x, grad_weights, grad_bases = x.new_empty(0), weights.new_empty(0), bases.new_empty(0)
    with torch.autocast(x.device.type, enabled=False):
        grad, wide_bases = grad.to(dtype), bases.to(dtype)
        padded = pad(x.to(dtype), size, stride, padding)
        if need_weights:
            responses = _responses(padded, wide_bases, stride)
            grad_weights = torch.einsum("bchw,bcmhw->bmhw", grad, responses).to(weights.dtype)
        if need_x or need_bases:
            # What reaches basis m's response: the output's gradient times m's weight.
            spread = torch.einsum("bchw,bmhw->bcmhw", grad, weights.to(dtype))
            response_grads_x, response_grads_bases = _responses_backward(
                spread, padded, wide_bases, stride, need_x, need_bases
            )
            if need_x:
                shape = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
                grad_x = pad_adjoint(response_grads_x, shape, size, stride, padding).to(x.dtype)
            if need_bases:
                grad_bases = response_grads_bases.to(bases.dtype)
    return grad_x, grad_weights.contiguous(), grad_bases.contiguous()


def _responses_backward(
    spread: Tensor, padded: Tensor, bases: Tensor, stride: int, need_padded: bool, need_bases: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`_responses` for the padded image and the bases."""
    batch, channels = padded.shape[:2]
    if bases.ndim == 3:
        inputs, kernels, groups = padded.flatten(0, 1).unsqueeze(1), bases.unsqueeze(1), 1
        outputs = spread.flatten(0, 1)
    else:
        inputs, kernels, groups = padded.transpose(0, 1), bases.flatten(0, 1).unsqueeze(1), batch
        outputs = spread.transpose(0, 1).flatten(1, 2)
    grad_inputs, grad_kernels, _ = torch.ops.aten.convolution_backward(
        outputs.contiguous(), inputs.contiguous(), kernels.contiguous(), None,
        [stride, stride], [0, 0], [1, 1], False, [0, 0], groups, [need_padded, need_bases, False],
    )  # fmt: skip
    if bases.ndim == 3:
        grad_padded = (
            grad_inputs.view(batch, channels, *padded.shape[2:]) if need_padded else padded
        )
    else:
        grad_padded = grad_inputs.transpose(0, 1) if need_padded else padded
    grad_bases = grad_kernels.view(bases.shape) if need_bases else bases
    return grad_padded, grad_bases


@_kernel_apply_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    need_x: bool,
    need_weights: bool,
    need_bases: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    needs = (need_x, need_weights, need_bases)
    gradients = [
        t.new_empty(t.shape) if need else t.new_empty(0)
        for t, need in zip((x, weights, bases), needs, strict=True)
    ]
    return gradients[0], gradients[1], gradients[2]


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, weights, bases, stride, padding = inputs
    ctx.save_for_backward(x, weights, bases)
    ctx.stride, ctx.padding = stride, padding


def _backward(ctx: Any, grad: Tensor) -> tuple:
    x, weights, bases = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:3])
    gradients = torch.ops.realdeg.kernel_apply_backward(
        grad,
        x,
        weights,
        bases,
        ctx.stride,
        ctx.padding,
        *needs,
    )
    chosen = [g if need else None for g, need in zip(gradients, needs, strict=True)]
    return (*chosen, None, None)


_kernel_apply.register_autograd(_backward, setup_context=_setup_context)
