"""The forms of ``kernel_apply``: weights after or before the filtering, per channel or shared.

Between the operators (:mod:`realdeg.ops.kernel_apply` and its adjoint) and the implementations,
which know one field of weights and one set of bases for all channels of a padded image. What
differs between channels is computed one channel after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from realdeg.ops.mixing import Gradients, mix, mix_gradients
from realdeg.ops.padding import check_windows, output_size, pad, pad_adjoint
from realdeg.ops.weights_first import mix_before, mix_before_gradients

PLACEMENTS = ("after", "before")

# Bytes of responses kept between the passes.
_MOST_KEPT = 16 << 20


def check_forms(
    name: str,
    shape: Sequence[int],
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str,
) -> tuple[int, int]:
    """Raise ValueError unless the shapes fit an image of ``shape`` (B, C, H, W).

    Returns:
        Rows and columns of the filtered image.
    """
    if bases.ndim not in (3, 4, 5):
        raise ValueError(
            f"{name}: bases must be (M, kh, kw), (B, M, kh, kw) or, per channel,"
            f" (1 or B, C, M, kh, kw), got shape {tuple(bases.shape)}"
        )
    if placement not in PLACEMENTS:
        raise ValueError(f"{name}: placement is 'after' or 'before', got {placement!r}")
    rows, columns = bases.shape[-2:]
    check_windows(name, shape, (rows, columns), stride, padding)
    batch, channels = shape[0], shape[1]
    if bases.ndim == 4 and bases.shape[0] != batch:
        raise ValueError(f"{name}: bases of {bases.shape[0]} samples do not fit a batch of {batch}")
    if bases.ndim == 5 and (bases.shape[0] not in (1, batch) or bases.shape[1] != channels):
        raise ValueError(
            f"{name}: bases per channel must be (1 or {batch}, {channels}, M, kh, kw) for an image"
            f" {tuple(shape)}, got {tuple(bases.shape)}"
        )
    size = (
        output_size(shape[2], rows, stride, padding),
        output_size(shape[3], columns, stride, padding),
    )
    grid = size if placement == "after" else (shape[2], shape[3])
    lead = (batch, channels) if weights.ndim == 5 else (batch,)
    expected = (*lead, bases.shape[-3], *grid)
    if tuple(weights.shape) != expected:
        raise ValueError(
            f"{name}: weights must be {expected} for x {tuple(shape)}, bases"
            f" {tuple(bases.shape)} and stride {stride}, got {tuple(weights.shape)}"
        )
    return size


def keeps_responses(x: Tensor, weights: Tensor, bases: Tensor, placement: str) -> bool:
    """Whether the forward pass may keep its responses for the gradient of the weights.

    They are C * M images in memory until the backward pass, which saves it a filtering.
    """
    same = x.dtype == weights.dtype == bases.dtype and x.dtype in (torch.float32, torch.float64)
    return (
        same
        and placement == "after"
        and x.device.type == "cpu"
        and weights.ndim == 4
        and bases.ndim in (3, 4)
        and x.ndim == 4
        and 0 < x.shape[1] * weights.numel() * x.element_size() <= _MOST_KEPT
    )


def apply(
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str,
    keep: Tensor | None = None,
) -> Tensor:
    """Filter and mix in any form; ``x`` and ``bases`` have the dtype to compute in.

    ``keep`` takes the responses, where :func:`keeps_responses` allows it.
    """
    if weights.ndim == 4 and bases.ndim < 5:
        return _apply(x, weights, bases, stride, padding, placement, keep)
    results = [
        _apply(x[:, c : c + 1], *_channel(weights, bases, c), stride, padding, placement)
        for c in range(x.shape[1])
    ]
    return torch.cat(results, 1)


def derivatives(
    grad: Tensor,
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str,
    needs: list[bool],
    kept: Tensor | None = None,
) -> Gradients:
    """Return the gradients of x, weights and bases, ``None`` where not needed.

    The dtype of ``grad``, ``x`` and ``bases`` is that to compute in; ``kept`` are the responses
    that :func:`apply` kept.
    """
    if weights.ndim == 4 and bases.ndim < 5:
        return _derivatives(grad, x, weights, bases, stride, padding, placement, needs, kept)
    images: list[Tensor] = []
    field = torch.zeros_like(weights, dtype=grad.dtype) if needs[1] else None
    kernels = torch.zeros_like(bases) if needs[2] else None
    for c in range(x.shape[1]):
        own_field, own_bases = _channel(weights, bases, c)
        image, field_part, kernels_part = _derivatives(
            grad[:, c : c + 1], x[:, c : c + 1], own_field, own_bases,
            stride, padding, placement, needs,
        )  # fmt: skip
        if image is not None:
            images.append(image)
        if field is not None and field_part is not None:
            (field if field.ndim == 4 else field[:, c]).add_(field_part)
        if kernels is not None and kernels_part is not None:
            (kernels if kernels.ndim < 5 else kernels[:, c]).add_(kernels_part)
    return torch.cat(images, 1) if needs[0] else None, field, kernels


def _channel(weights: Tensor, bases: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    """Return a channel's weights, (B, M, h, w), and bases, (M, kh, kw) or (B, M, kh, kw)."""
    field = weights if weights.ndim == 4 else weights[:, channel]
    if bases.ndim < 5:
        return field, bases
    own = bases[:, channel]
    return field, own[0] if own.shape[0] == 1 else own


def _apply(
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str,
    keep: Tensor | None = None,
) -> Tensor:
    size = (bases.shape[-2], bases.shape[-1])
    padded = pad(x, size, stride, padding)
    if placement == "after":
        return mix(padded, weights, bases, stride, keep)
    return mix_before(padded, pad(weights, size, stride, padding), bases, stride)


def _derivatives(
    grad: Tensor,
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str,
    needs: list[bool],
    kept: Tensor | None = None,
) -> Gradients:
    size = (bases.shape[-2], bases.shape[-1])
    padded = pad(x, size, stride, padding)
    if placement == "after":
        image, field, kernels = mix_gradients(grad, padded, weights, bases, stride, needs, kept)
    else:
        field = pad(weights, size, stride, padding)
        image, field, kernels = mix_before_gradients(grad, padded, field, bases, stride, needs)
        if field is not None:
            field = pad_adjoint(field, _shape(weights), size, stride, padding)
    if image is not None:
        image = pad_adjoint(image, _shape(x), size, stride, padding)
    return image, field, kernels


def _shape(tensor: Tensor) -> tuple[int, int, int, int]:
    return tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]
