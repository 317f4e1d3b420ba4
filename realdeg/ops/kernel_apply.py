"""``kernel_apply``: filter each pixel with its own mixture of shared basis kernels.

``y(p) = sum_m w_m(p) * (phi_m correlated with x)(p)``, Eqs. 2 and 3 of DML (Xiao, Yong and Zhang,
ACCV 2020). The per-pixel kernels (225 channels for 15 x 15) are never formed: x is filtered with
each basis, and the results are summed with their weights. With ``placement="before"`` the image is
multiplied by the weights first: ``y = sum_m phi_m correlated with (w_m x)``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from realdeg.ops.dispatch import cast_for_autocast
from realdeg.ops.forms import apply, check_forms, derivatives, keeps_responses
from realdeg.ops.mixing import forward_dtype, working_dtype
from realdeg.ops.padding import check_together
from realdeg.utils.precision import full_precision


def kernel_apply(
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int = 1,
    padding: str = "reflect",
    placement: str = "after",
) -> Tensor:
    """Filter each pixel with its own mixture of basis kernels (correlation).

    Args:
        x: Image, shape (B, C, H, W).
        weights: Mixing weights, shape (B, M, H / stride, W / stride), one field for all channels
            (with ``valid`` padding the size of the valid output), or (B, C, M, ...) for a field of
            each channel. With ``placement="before"`` on the grid of ``x``: (B, M, H, W) or
            (B, C, M, H, W).
        bases: Basis kernels, shape (M, kh, kw), or (B, M, kh, kw) for per-sample bases, or
            (1 or B, C, M, kh, kw) for bases of each channel.
        stride: Input pixels per output pixel; the window of output pixel i starts at input pixel
            ``stride * i + floor((stride - k) / 2)``.
        padding: ``reflect``, ``replicate``, ``zeros``, ``circular`` or ``valid``.
        placement: ``"after"``: the filtered images are multiplied by the weights, so each output
            pixel has its own kernel. ``"before"``: the image is, so each input pixel has its own
            point spread function (the product-convolution of Escande and Weiss, SIAM Journal on
            Mathematical Analysis 2017).

    Returns:
        Shape (B, C, H / stride, W / stride), dtype of ``x``; under autocast that of autocast.

    Raises:
        ValueError: If shapes, dtypes, devices, stride, padding or placement do not match.
    """
    x, bases = cast_for_autocast(x, bases)
    trains = torch.is_grad_enabled() and weights.requires_grad and not torch.compiler.is_compiling()
    if trains and keeps_responses(x, weights, bases, placement):
        return torch.ops.realdeg.kernel_apply_keeping(x, weights, bases, stride, padding)[0]
    if placement == "after":
        return torch.ops.realdeg.kernel_apply(x, weights, bases, stride, padding)
    return torch.ops.realdeg.kernel_apply(x, weights, bases, stride, padding, placement)


def _check(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str, placement: str
) -> tuple[int, int]:
    name = "kernel_apply"
    check_together(name, x=x, weights=weights, bases=bases)
    return check_forms(name, x.shape, weights, bases, stride, padding, placement)


@torch.library.custom_op("realdeg::kernel_apply", mutates_args=())
def _kernel_apply(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str, placement: str = "after"
) -> Tensor:
    size = _check(x, weights, bases, stride, padding, placement)
    if x.numel() == 0 or weights.numel() == 0:
        return x.new_zeros((x.shape[0], x.shape[1], *size))
    # Weights first, the sum over the bases is part of the convolution, and stays in float32.
    choose = forward_dtype if placement == "after" else working_dtype
    dtype = choose(x, weights, bases)
    with full_precision(x):
        result = apply(x.to(dtype), weights, bases.to(dtype), stride, padding, placement)
    return result.to(x.dtype)


@_kernel_apply.register_fake
def _(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str, placement: str = "after"
) -> Tensor:
    size = _check(x, weights, bases, stride, padding, placement)
    return x.new_empty((x.shape[0], x.shape[1], *size))


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
    placement: str = "after",
    kept: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weights and bases; those not needed are empty."""
    if grad.numel() == 0:
        return torch.zeros_like(x), torch.zeros_like(weights), torch.zeros_like(bases)
    dtype = working_dtype(x, weights, bases)
    with full_precision(x):
        image, field, kernels = derivatives(
            grad.to(dtype), x.to(dtype), weights, bases.to(dtype), stride, padding, placement,
            [need_x, need_weights, need_bases], kept,
        )  # fmt: skip
    return _finish(image, x), _finish(field, weights), _finish(kernels, bases)


def _finish(gradient: Tensor | None, of: Tensor) -> Tensor:
    if gradient is None:
        return of.new_empty(0)
    return gradient.to(of.dtype).contiguous()


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
    placement: str = "after",
    kept: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    needs = (need_x, need_weights, need_bases)
    gradients = [
        t.new_empty(t.shape) if need else t.new_empty(0)
        for t, need in zip((x, weights, bases), needs, strict=True)
    ]
    return gradients[0], gradients[1], gradients[2]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, bases, stride, padding, placement = inputs
    ctx.save_for_backward(x, weights, bases)
    ctx.stride, ctx.padding, ctx.placement = stride, padding, placement


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    x, weights, bases = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:3])
    gradients = torch.ops.realdeg.kernel_apply_backward(
        grad, x, weights, bases, ctx.stride, ctx.padding, *needs, ctx.placement
    )
    chosen = [g if need else None for g, need in zip(gradients, needs, strict=True)]
    return (*chosen, None, None, None)


_kernel_apply.register_autograd(_backward, setup_context=_setup_context)


@torch.library.custom_op("realdeg::kernel_apply_keeping", mutates_args=())
def _kernel_apply_keeping(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str
) -> tuple[Tensor, Tensor]:
    """Return kernel_apply's result and the responses (B, C, M, h, w), for the backward pass."""
    size = _check(x, weights, bases, stride, padding, "after")
    kept = x.new_empty((x.shape[0], x.shape[1], bases.shape[-3], *size))
    with full_precision(x):
        return apply(x, weights, bases, stride, padding, "after", kept), kept


@_kernel_apply_keeping.register_fake
def _(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str
) -> tuple[Tensor, Tensor]:
    size = _check(x, weights, bases, stride, padding, "after")
    lead = (x.shape[0], x.shape[1])
    return x.new_empty((*lead, *size)), x.new_empty((*lead, bases.shape[-3], *size))


def _setup_keeping(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, weights, bases, stride, padding = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(x, weights, bases, output[1])
    ctx.stride, ctx.padding = stride, padding


def _backward_keeping(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
    x, weights, bases, kept = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:3])
    gradients = torch.ops.realdeg.kernel_apply_backward(
        grad, x, weights, bases, ctx.stride, ctx.padding, *needs, "after", kept
    )
    chosen = [g if need else None for g, need in zip(gradients, needs, strict=True)]
    return (*chosen, None, None)


_kernel_apply_keeping.register_autograd(_backward_keeping, setup_context=_setup_keeping)
