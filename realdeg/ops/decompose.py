"""The operators in terms of standard ones, for formats without custom operators (ONNX).

Slower than the operators themselves and needs more memory: all M responses, or k * k shifted
images, exist at once.
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


def _kernel_apply(x: Tensor, weights: Tensor, bases: Tensor, stride: int, padding: str) -> Tensor:
    padded = pad(x, bases.shape[-1], stride, padding)
    height, width = weights.shape[2], weights.shape[3]
    if bases.ndim == 3:
        channels = [
            F.conv2d(padded[:, c, None], bases[:, None], stride=stride) * weights
            for c in range(x.shape[1])
        ]
        return torch.stack([product.sum(1) for product in channels], 1)
    # Per-sample bases: samples become groups, channels become the batch.
    kernels = bases.flatten(0, 1).unsqueeze(1)
    grouped = F.conv2d(padded.transpose(0, 1), kernels, stride=stride, groups=bases.shape[0])
    responses = grouped.reshape(x.shape[1], bases.shape[0], bases.shape[1], height, width)
    return (responses * weights).sum(2).transpose(0, 1)


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
