"""The operators in terms of standard ones, for formats without custom operators (ONNX).

Slower than the operators themselves and needs more memory: all M responses, or k * k shifted
images, exist at once. ``kernel_apply_adjoint`` has no such form: it belongs to reconstruction, not
to a network that is exported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.ops.padding import pad


def decompositions() -> dict[Any, Callable[..., Tensor]]:
    """Return a decomposition table for ``torch.export.ExportedProgram.run_decompositions``.

    Pass the decomposed program to ``torch.onnx.export``::

        program = torch.export.export(model, (hr,))
        table = torch.export.default_decompositions() | realdeg.ops.decompositions()
        torch.onnx.export(program.run_decompositions(table), dynamo=True).save("model.onnx")

    Returns:
        A function for each of realdeg's operators.
    """
    return {
        torch.ops.realdeg.kernel_apply.default: _kernel_apply,
        torch.ops.realdeg.pixel_kernel_apply.default: _pixel_kernel_apply,
    }


def _kernel_apply(
    x: Tensor,
    weights: Tensor,
    bases: Tensor,
    stride: int,
    padding: str,
    placement: str = "after",
) -> Tensor:
    size = (bases.shape[-2], bases.shape[-1])
    padded = pad(x, size, stride, padding)
    if placement == "before":
        channels = [
            _before(
                padded[:, c],
                pad(_of_channel(weights, c), size, stride, padding),
                _of_channel(bases, c),
                stride,
            )
            for c in range(x.shape[1])
        ]
        return torch.stack(channels, 1)
    if bases.ndim == 5 or weights.ndim == 5:
        channels = [
            _after(padded[:, c, None], _of_channel(weights, c), _of_channel(bases, c), stride)
            for c in range(x.shape[1])
        ]
        return torch.cat(channels, 1)
    return _after(padded, weights, bases, stride)


def _of_channel(tensor: Tensor, channel: int) -> Tensor:
    """Return a channel's weights or bases; those of fewer than five axes serve all channels."""
    return tensor if tensor.ndim < 5 else tensor[:, channel]


def _after(padded: Tensor, weights: Tensor, bases: Tensor, stride: int) -> Tensor:
    height, width, channels = weights.shape[2], weights.shape[3], padded.shape[1]
    if bases.ndim == 4 and bases.shape[0] == 1:
        bases = bases[0]
    if bases.ndim == 3:
        products = [
            F.conv2d(padded[:, c, None], bases[:, None], stride=stride) * weights
            for c in range(channels)
        ]
        return torch.stack([product.sum(1) for product in products], 1)
    # Per-sample bases: samples become groups, channels become the batch.
    kernels = bases.flatten(0, 1).unsqueeze(1)
    grouped = F.conv2d(padded.transpose(0, 1), kernels, stride=stride, groups=bases.shape[0])
    responses = grouped.reshape(channels, bases.shape[0], bases.shape[1], height, width)
    return (responses * weights).sum(2).transpose(0, 1)


def _before(image: Tensor, weights: Tensor, bases: Tensor, stride: int) -> Tensor:
    products = image[:, None] * weights  # (B, M, Hp, Wp)
    if bases.ndim == 3 or bases.shape[0] == 1:
        return F.conv2d(products, bases.reshape(1, *bases.shape[-3:]), stride=stride)[:, 0]
    # Samples become groups.
    folded = products.flatten(0, 1)[None]
    return F.conv2d(folded, bases, stride=stride, groups=bases.shape[0])[0]


def _pixel_kernel_apply(x: Tensor, kernels: Tensor, stride: int, padding: str) -> Tensor:
    taps = kernels.shape[1]
    size = round(taps**0.5)
    padded = pad(x, size, stride, padding)
    # One-hot kernels: tap t's response is the image shifted by t.
    single = torch.eye(taps, dtype=x.dtype, device=x.device).reshape(taps, 1, size, size)
    channels = [
        (F.conv2d(padded[:, c, None], single, stride=stride) * kernels).sum(1)
        for c in range(x.shape[1])
    ]
    return torch.stack(channels, 1)
