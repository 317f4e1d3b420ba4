"""``kernel_apply``: filter each pixel with its own mixture of shared basis kernels.

``y(p) = sum_m w_m(p) * (phi_m correlated with x)(p)``, Eqs. 2 and 3 of DML (Xiao, Yong and Zhang,
ACCV 2020). The per-pixel kernels (225 channels for 15 x 15) are never formed: x is filtered with
each basis, and the results are summed with their weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from realdeg.ops import direct, fourier
from realdeg.ops.dispatch import cast_for_autocast, compute_dtype, triton_path, use_triton
from realdeg.ops.padding import check_together, check_windows, output_size, pad, pad_adjoint
from realdeg.ops.rule import multiplies_bfloat16, row_phases, takes_fourier
from realdeg.utils.precision import full_precision


def kernel_apply(
    x: Tensor, weights: Tensor, bases: Tensor, stride: int = 1, padding: str = "reflect"
) -> Tensor:
    """Filter each pixel with its own mixture of basis kernels (correlation).

    Args:
        x: Image, shape (B, C, H, W).
        weights: Mixing weights, shape (B, M, H / stride, W / stride), one field for all channels
            (with ``valid`` padding the size of the valid output).
        bases: Basis kernels, shape (M, k, k), or (B, M, k, k) for per-sample bases.
        stride: Input pixels per output pixel; the window of output pixel i starts at input pixel
            ``stride * i + floor((stride - k) / 2)``.
        padding: ``reflect``, ``replicate``, ``zeros``, ``circular`` or ``valid``.

    Returns:
        Shape (B, C, H / stride, W / stride), dtype of ``x``; under autocast that of autocast.

    Raises:
        ValueError: If shapes, dtypes, devices, stride or padding do not match.
    """
    x, bases = cast_for_autocast(x, bases)
    return torch.ops.realdeg.kernel_apply(x, weights, bases, stride, padding)


def _check(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> None:
    name = "kernel_apply"
    check_together(name, x=x, weights=weights, bases=bases)
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


def _multiply_dtype(x: Tensor, bases: Tensor, compute: torch.dtype) -> torch.dtype:
    # Only the convolution gains from bfloat16; it and the mixing accumulate in float32.
    half = x.dtype == bases.dtype == torch.bfloat16 and x.device.type == "cpu"
    return torch.bfloat16 if half and multiplies_bfloat16() else compute


def _is_finite(tensor: Tensor) -> bool:
    # One pass: NaN and infinity survive a sum. A sum that overflows only costs time.
    return bool(torch.isfinite(tensor.sum()))


def _forward(padded: Tensor, weights: Tensor, bases: Tensor, stride: int) -> Tensor:
    if use_triton(padded, weights, bases):
        return triton_path("kernel_apply").forward(padded, weights, bases, stride)
    size, count, dtype = bases.shape[-1], bases.shape[-3], padded.dtype
    if takes_fourier(size, count, stride, dtype, backward=False):
        result = fourier.forward(padded, weights, bases)
    else:
        phases = row_phases(count, dtype, backward=False)
        result = direct.forward(padded, weights, bases, stride, phases)
    if not _is_finite(result):
        # A tile's transform and a phase's padded taps spread NaN and infinity beyond the windows
        # that contain them; the plain convolution does not.
        result = direct.forward(padded, weights, bases, stride, phases=1)
    return result


@torch.library.custom_op("realdeg::kernel_apply", mutates_args=())
def _kernel_apply(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> Tensor:
    _check(x, weights, bases, stride, padding)
    if x.numel() == 0 or weights.numel() == 0:
        return x.new_zeros((x.shape[0], x.shape[1], *weights.shape[2:]))
    dtype = _multiply_dtype(x, bases, compute_dtype(x, weights, bases))
    with full_precision(x):
        padded = pad(x.to(dtype), bases.shape[-1], stride, padding)
        result = _forward(padded, weights, bases.to(dtype), stride)
    return result.to(x.dtype)


@_kernel_apply.register_fake
def _(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> Tensor:
    _check(x, weights, bases, stride, padding)
    return x.new_empty((x.shape[0], x.shape[1], weights.shape[2], weights.shape[3]))


Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


def _backward_padded(
    grad: Tensor, padded: Tensor, weights: Tensor, bases: Tensor, stride: int, needs: list[bool]
) -> Gradients:
    """Gradients of the padded image, the weights and the bases."""
    if use_triton(padded, weights, bases):
        path = triton_path("kernel_apply")
        size, wide = (padded.shape[2], padded.shape[3]), torch.float32
        image = field = kernels = None
        if needs[0]:
            # In float32 until the padding is folded back.
            image = path.backward_padded(grad, weights, bases, stride, size, dtype=wide)
        if needs[1]:
            field = path.backward_weights(grad, padded, bases, stride, dtype=weights.dtype)
        if needs[2]:
            kernels = path.backward_bases(grad, padded, weights, bases.shape, stride, dtype=wide)
        return image, field, kernels
    gradients = _backward_fast(grad, padded, weights, bases, stride, needs)
    if all(gradient is None or _is_finite(gradient) for gradient in gradients):
        return gradients
    # See _forward.
    image, kernels = direct.image_and_bases_gradients(
        grad, padded, weights, bases, stride, 1, needs[0], needs[2]
    )
    field = direct.weights_gradient(grad, padded, bases, stride, 1) if needs[1] else None
    return image, field, kernels


def _backward_fast(
    grad: Tensor, padded: Tensor, weights: Tensor, bases: Tensor, stride: int, needs: list[bool]
) -> Gradients:
    size, count, dtype = bases.shape[-1], bases.shape[-3], padded.dtype
    image = field = kernels = None
    # The weights' gradient needs the responses, so it costs as much as the forward pass.
    field_by_fourier = needs[1] and takes_fourier(size, count, stride, dtype, backward=False)
    others_by_fourier = takes_fourier(size, count, stride, dtype, backward=True)
    if field_by_fourier or (others_by_fourier and (needs[0] or needs[2])):
        image, field, kernels = fourier.backward(
            grad, padded, weights, bases,
            needs[0] and others_by_fourier, field_by_fourier, needs[2] and others_by_fourier,
        )  # fmt: skip
    if needs[1] and not field_by_fourier:
        phases = row_phases(count, dtype, backward=False)
        field = direct.weights_gradient(grad, padded, bases, stride, phases)
    if not others_by_fourier and (needs[0] or needs[2]):
        phases = row_phases(count, dtype, backward=True)
        image, kernels = direct.image_and_bases_gradients(
            grad, padded, weights, bases, stride, phases, needs[0], needs[2]
        )
    return image, field, kernels


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
    dtype = compute_dtype(x, weights, bases)
    with full_precision(x):
        padded = pad(x.to(dtype), size, stride, padding)
        image, field, kernels = _backward_padded(
            grad.to(dtype), padded, weights, bases.to(dtype), stride,
            [need_x, need_weights, need_bases],
        )  # fmt: skip
        if image is not None:
            shape = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
            image = pad_adjoint(image, shape, size, stride, padding)
    return _finish(image, x), _finish(field, weights), _finish(kernels, bases)


def _finish(gradient: Tensor | None, of: Tensor) -> Tensor:
    if gradient is None:
        return of.new_empty(0)
    return gradient.to(of.dtype).contiguous()


@_kernel_apply_backward.register_fake
def _(
    grad: Tensor, x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str, *needs: bool
) -> tuple[Tensor, Tensor, Tensor]:
    gradients = [
        t.new_empty(t.shape) if need else t.new_empty(0)
        for t, need in zip((x, weights, bases), needs, strict=True)
    ]
    return gradients[0], gradients[1], gradients[2]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, bases, stride, padding = inputs
    ctx.save_for_backward(x, weights, bases)
    ctx.stride, ctx.padding = stride, padding


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    x, weights, bases = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:3])
    gradients = torch.ops.realdeg.kernel_apply_backward(
        grad, x, weights, bases, ctx.stride, ctx.padding, *needs
    )
    chosen = [g if need else None for g, need in zip(gradients, needs, strict=True)]
    return (*chosen, None, None)


_kernel_apply.register_autograd(_backward, setup_context=_setup_context)
