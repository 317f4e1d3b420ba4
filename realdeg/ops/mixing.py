"""Filter and mix a padded image, and the gradients: the implementation is chosen here.

Everything in this file is a derivative of one number,

    T = sum over b, c, m, p, u of  grad(b, c, p) w(b, m, p) phi(m, u) padded(b, c, stride * p + u)

which is linear in each of its four factors. Its derivative in ``grad`` is the filtered image, the
other three are the gradients of the image, the weights and the bases. The adjoint operator is the
derivative in ``padded``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.ops import direct, fourier
from realdeg.ops.dispatch import compute_dtype, triton_path, use_triton
from realdeg.ops.rule import multiplies_bfloat16, row_phases, takes_fourier

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


def takes_triton(padded: Tensor, weights: Tensor, bases: Tensor) -> bool:
    """Whether the Triton kernels, which are written for square windows, take these tensors."""
    return use_triton(padded, weights, bases) and bases.shape[-1] == bases.shape[-2]


def working_dtype(x: Tensor, weights: Tensor, bases: Tensor) -> torch.dtype:
    """Return the dtype that torch's or the Triton implementation computes in."""
    if use_triton(x, weights, bases) and not takes_triton(x, weights, bases):
        return torch.float32
    return compute_dtype(x, weights, bases)


def forward_dtype(x: Tensor, weights: Tensor, bases: Tensor) -> torch.dtype:
    """Return the dtype that the forward pass multiplies in.

    Only the convolution gains from bfloat16; it and the mixing accumulate in float32.
    """
    half = x.dtype == bases.dtype == torch.bfloat16 and x.device.type == "cpu"
    if half and multiplies_bfloat16():
        return torch.bfloat16
    return working_dtype(x, weights, bases)


def _is_finite(tensor: Tensor) -> bool:
    # One pass: NaN and infinity survive a sum. A sum that overflows only costs time.
    return bool(torch.isfinite(tensor.sum()))


def _size(bases: Tensor) -> tuple[int, int]:
    return bases.shape[-2], bases.shape[-1]


def mix(
    padded: Tensor, weights: Tensor, bases: Tensor, stride: int, keep: Tensor | None = None
) -> Tensor:
    """Filter and mix.

    Args:
        padded: Image with its padding, shape (B, C, Hp, Wp), in the dtype to compute in.
        weights: Shape (B, M, h, w).
        bases: Shape (M, kh, kw) or (B, M, kh, kw), dtype of ``padded``.
        stride: Padded pixels per output pixel.
        keep: Takes the responses of the bases, (B, C, M, h, w); not with Triton.

    Returns:
        Shape (B, C, h, w).
    """
    if takes_triton(padded, weights, bases):
        return triton_path("kernel_apply").forward(padded, weights, bases, stride)
    count, dtype = bases.shape[-3], padded.dtype
    if takes_fourier(_size(bases), count, stride, dtype, backward=False):
        result = fourier.forward(padded, weights, bases, keep)
    else:
        phases = row_phases(count, dtype, backward=False)
        result = direct.forward(padded, weights, bases, stride, phases, keep)
    if not _is_finite(result):
        # A tile's transform and a phase's padded taps spread NaN and infinity beyond the windows
        # that contain them; the plain convolution does not.
        result = direct.forward(padded, weights, bases, stride, 1, keep)
    return result


def mix_gradients(
    grad: Tensor,
    padded: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    needs: list[bool],
    kept: Tensor | None = None,
) -> Gradients:
    """Return the gradients of the padded image, the weights and the bases.

    ``grad`` is (B, C, h, w), ``kept`` are responses that :func:`mix` kept; the rest is as there. Of
    an image whose gradient alone is needed, only the shape counts.
    """
    if takes_triton(padded, weights, bases):
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
    if kept is not None and needs[1]:
        image, _, kernels = mix_gradients(
            grad, padded, weights, bases, stride, [needs[0], False, needs[2]]
        )
        return image, _weights_gradient(grad, kept), kernels
    gradients = _fast_gradients(grad, padded, weights, bases, stride, needs)
    if all(gradient is None or _is_finite(gradient) for gradient in gradients):
        return gradients
    # See mix.
    image, kernels = direct.image_and_bases_gradients(
        grad, padded, weights, bases, stride, 1, needs[0], needs[2]
    )
    field = direct.weights_gradient(grad, padded, bases, stride, 1) if needs[1] else None
    return image, field, kernels


def _weights_gradient(grad: Tensor, kept: Tensor) -> Tensor:
    field = kept[:, 0] * grad[:, 0, None]
    for channel in range(1, grad.shape[1]):
        field.addcmul_(kept[:, channel], grad[:, channel, None])
    return field


def _fast_gradients(
    grad: Tensor, padded: Tensor, weights: Tensor, bases: Tensor, stride: int, needs: list[bool]
) -> Gradients:
    size, count, dtype = _size(bases), bases.shape[-3], padded.dtype
    image = field = kernels = None
    others_by_fourier = takes_fourier(size, count, stride, dtype, backward=True)
    # The weights' gradient needs the responses, which cost as much as the forward pass, but less
    # where the transforms of the image are made anyway.
    shares = others_by_fourier and needs[2]
    field_by_fourier = needs[1] and (
        shares or takes_fourier(size, count, stride, dtype, backward=False)
    )
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
