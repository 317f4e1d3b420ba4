"""``kernel_apply`` by direct convolution, a strip of rows at a time.

A convolution from one channel to M = 8 fills half a vector register and runs well below peak
throughput. So several output rows are computed as output channels. Rows are grouped into blocks of
``phases * stride``, and each row of a block becomes an input channel: space-to-depth along rows
only, which keeps every row contiguous. The M responses exist for one strip at a time, a few MiB,
and are mixed while they are in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Responses of a strip: small enough to stay in the cache and to be reallocated cheaply from the
# heap, large enough to keep the convolution busy.
_STRIP_BYTES = 3 << 20


class _Strip(NamedTuple):
    """Rows of output that are computed at a time."""

    samples: slice
    rows: slice
    blocks: tuple[int, int]
    """(blocks, phases): the rows as blocks of one row per phase."""


def forward(
    padded: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    phases: int,
    keep: Tensor | None = None,
) -> Tensor:
    """Filter and mix.

    Args:
        padded: Image with its padding, shape (B, C, Hp, Wp), float32, float64 or bfloat16
            (multiplied in bfloat16, mixed in float32).
        weights: Shape (B, M, h, w).
        bases: Shape (M, kh, kw) or (B, M, kh, kw), dtype of ``padded``.
        stride: Input pixels per output pixel.
        phases: Output rows computed as channels. Only with 1 is no tap padded, so that NaN and
            infinity stay within the windows that contain them.
        keep: Takes the responses, (B, C, M, h, w), for the gradient of the weights.

    Returns:
        Shape (B, C, h, w), dtype of ``padded`` or float32.
    """
    batch, channels = padded.shape[:2]
    dtype = torch.float32 if padded.dtype == torch.bfloat16 else padded.dtype
    result = padded.new_empty((batch, channels, *weights.shape[2:]), dtype=dtype)
    for strip in _strips(padded, weights.shape, bases, stride, phases):
        samples, rows, blocks = strip
        responses = _respond(padded, bases, strip, stride, weights.shape[3]).to(dtype)
        if keep is not None:
            kept = keep[samples, :, :, rows].unflatten(3, blocks)
            kept.transpose(3, 4).copy_(responses)
        field = _by_phase(weights[samples, :, rows].to(dtype), blocks)
        target = _by_phase(result[samples, :, rows], blocks)
        torch.mul(responses[:, :, 0], field[:, None, 0], out=target)
        for index in range(1, weights.shape[1]):
            target.addcmul_(responses[:, :, index], field[:, None, index])
    return result


def weights_gradient(
    grad: Tensor, padded: Tensor, bases: Tensor, stride: int, phases: int
) -> Tensor:
    """Return the gradient of the weights, (B, M, h, w): responses times ``grad``, over channels.

    ``grad`` is (B, C, h, w) in the dtype of ``padded``; the rest is as in :func:`forward`.
    """
    shape = torch.Size((grad.shape[0], bases.shape[-3], *grad.shape[2:]))
    result = grad.new_empty(shape)
    for strip in _strips(padded, shape, bases, stride, phases):
        samples, rows, blocks = strip
        responses = _respond(padded, bases, strip, stride, shape[3])
        gradient = _by_phase(grad[samples, :, rows], blocks)
        target = _by_phase(result[samples, :, rows], blocks)
        torch.mul(responses[:, 0], gradient[:, 0, None], out=target)
        for channel in range(1, grad.shape[1]):
            target.addcmul_(responses[:, channel], gradient[:, channel, None])
    return result


def image_and_bases_gradients(
    grad: Tensor,
    padded: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    phases: int,
    need_padded: bool,
    need_bases: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of the padded image and of the bases, ``None`` where not needed.

    ``grad`` is (B, C, h, w) in the dtype of ``padded``; the rest is as in :func:`forward`.
    """
    grad_padded = torch.zeros_like(padded) if need_padded else None
    grad_bases = torch.zeros_like(bases) if need_bases else None
    for strip in _strips(padded, weights.shape, bases, stride, phases):
        samples, rows, blocks = strip
        gradient = _by_phase(grad[samples, :, rows], blocks)
        field = _by_phase(weights[samples, :, rows].to(padded.dtype), blocks)
        # Gradient of basis m's response: the output's gradient times m's weight.
        spread = (gradient[:, :, None] * field[:, None]).flatten(0, 1).flatten(1, 2)
        own = bases if bases.ndim == 3 else bases[samples.start]
        inputs, top, size = _input(padded, own, strip, stride, weights.shape[3])
        kernels = _phase_kernels(own, stride, blocks[1])
        # oneDNN reads uninitialised memory for some outputs of one column (torch 2.13 and 2.15,
        # 14 taps and more). A second column of zeros avoids it.
        narrow = spread.shape[-1] == 1
        if narrow:
            spread, inputs = F.pad(spread, (0, 1)), F.pad(inputs, (0, 1))
        grad_inputs, grad_kernels, _ = torch.ops.aten.convolution_backward(
            spread, inputs, kernels, None,
            [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [need_padded, need_bases, False],
        )  # fmt: skip
        if grad_padded is not None:
            grad_inputs = grad_inputs[..., :-1] if narrow else grad_inputs
            _add_input(grad_padded, grad_inputs, samples, top, size, stride, blocks[1])
        if grad_bases is not None:
            target = grad_bases if bases.ndim == 3 else grad_bases[samples.start]
            _add_kernels(target, grad_kernels, stride, blocks[1])
    return grad_padded, grad_bases


def _strips(
    padded: Tensor, shape: torch.Size, bases: Tensor, stride: int, phases: int
) -> Iterator[_Strip]:
    batch, count, height, width = shape
    taps = bases.shape[-2] * bases.shape[-1]
    # Without oneDNN (float64) torch unfolds k * k columns instead of M responses.
    columns = max(count, taps) if padded.dtype == torch.float64 else count
    row_bytes = padded.shape[1] * columns * width * max(4, padded.element_size())
    most_rows = max(1, _STRIP_BYTES // max(1, row_bytes))
    whole = height - height % phases
    each = 1 if bases.ndim == 4 else max(1, most_rows // max(1, height))
    step = max(phases, min(most_rows - most_rows % phases, whole))
    for first in range(0, batch, each):
        samples = slice(first, min(first + each, batch))
        for top in range(0, whole, step):
            rows = slice(top, min(top + step, whole))
            yield _Strip(samples, rows, ((rows.stop - top) // phases, phases))
        if whole < height:
            yield _Strip(samples, slice(whole, height), (height - whole, 1))


def _respond(padded: Tensor, bases: Tensor, strip: _Strip, stride: int, width: int) -> Tensor:
    """Correlate every channel with every basis: (b, C, M, phases, blocks, w)."""
    own = bases if bases.ndim == 3 else bases[strip.samples.start]
    inputs, _, _ = _input(padded, own, strip, stride, width)
    blocks, phases = strip.blocks
    responses = F.conv2d(inputs, _phase_kernels(own, stride, phases))
    return responses.view(-1, padded.shape[1], own.shape[0], phases, blocks, width)


def _input(
    padded: Tensor, bases: Tensor, strip: _Strip, stride: int, width: int
) -> tuple[Tensor, int, tuple[int, int]]:
    """Return a strip's input (b * C, group * stride, rows, columns), its top row and its size."""
    blocks, phases = strip.blocks
    group = stride * phases
    taps_down, taps_across = _taps(bases, stride, phases)
    top = strip.rows.start * stride
    height, columns = (blocks + taps_down - 1) * group, (width + taps_across - 1) * stride
    image = padded[strip.samples, :, top : top + height, :columns].flatten(0, 1)
    size = (image.shape[1], image.shape[2])
    missing = (height - size[0], columns - size[1])
    if missing != (0, 0):
        # Read only by the zero taps that the phases added.
        image = F.pad(image, (0, missing[1], 0, missing[0]))
    image = image.unflatten(2, (-1, stride)).unflatten(1, (-1, group))
    return image.permute(0, 2, 4, 1, 3).flatten(1, 2).contiguous(), top, size


def _add_input(
    grad_padded: Tensor,
    grad_inputs: Tensor,
    samples: slice,
    top: int,
    size: tuple[int, int],
    stride: int,
    phases: int,
) -> None:
    """Apply the transpose of :func:`_input`, adding to ``grad_padded``."""
    strip = grad_inputs.unflatten(1, (phases * stride, stride)).permute(0, 3, 1, 4, 2)
    strip = strip.flatten(3, 4).flatten(1, 2)[:, : size[0], : size[1]]
    target = grad_padded[samples, :, top : top + size[0], : size[1]]
    target += strip.unflatten(0, (-1, grad_padded.shape[1]))


def _taps(bases: Tensor, stride: int, phases: int) -> tuple[int, int]:
    rows, columns = bases.shape[-2:]
    group = stride * phases
    return -(-(rows + (phases - 1) * stride) // group), -(-columns // stride)


def _phase_kernels(bases: Tensor, stride: int, phases: int) -> Tensor:
    """Place each basis at each phase's rows: (M * phases, group * stride, down, across)."""
    count, rows, columns = bases.shape
    group = stride * phases
    down, across = _taps(bases, stride, phases)
    kernels = bases.new_zeros((count, phases, down * group, across * stride))
    for phase in range(phases):
        top = phase * stride
        kernels[:, phase, top : top + rows, :columns] = bases
    kernels = kernels.view(count, phases, down, group, across, stride)
    return kernels.permute(0, 1, 3, 5, 2, 4).reshape(count * phases, group * stride, down, across)


def _add_kernels(grad_bases: Tensor, grad_kernels: Tensor, stride: int, phases: int) -> None:
    """Apply the transpose of :func:`_phase_kernels`, adding to ``grad_bases``."""
    count, rows, columns = grad_bases.shape
    group = stride * phases
    down, across = _taps(grad_bases, stride, phases)
    laid = grad_kernels.view(count, phases, group, stride, down, across).permute(0, 1, 4, 2, 5, 3)
    laid = laid.reshape(count, phases, down * group, across * stride)
    for phase in range(phases):
        top = phase * stride
        grad_bases += laid[:, phase, top : top + rows, :columns]


def _by_phase(rows: Tensor, blocks: tuple[int, int]) -> Tensor:
    """View (b, n, blocks * phases, w) as (b, n, phases, blocks, w)."""
    return rows.unflatten(2, blocks).transpose(2, 3)
