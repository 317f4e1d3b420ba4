"""Dispatch between the Triton kernels and torch's own operators, and the dtype to compute in."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor

from realdeg.ops.triton import available

_available = lru_cache(maxsize=1)(available)


def use_triton(*tensors: Tensor) -> bool:
    """Whether all tensors are on a GPU with Triton, in dtypes that its kernels support."""
    if not all(tensor.is_cuda for tensor in tensors) or not _available():
        return False
    return triton_path("kernel_apply").supports(*(tensor.dtype for tensor in tensors))


def triton_path(operator: str) -> ModuleType:
    """Import the Triton kernels of an operator; lazily, as triton is slow to import."""
    return importlib.import_module(f"realdeg.ops.triton.{operator}")


def compute_dtype(*tensors: Tensor) -> torch.dtype:
    """Return the dtype that an operator computes in, given its inputs, the image first."""
    if use_triton(*tensors):
        # The kernels read half precision directly and accumulate in float32.
        return tensors[0].dtype
    wide = any(tensor.dtype == torch.float64 for tensor in tensors)
    return torch.float64 if wide else torch.float32


def cast_for_autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast tensors of one device to autocast's dtype where autocast is on.

    Callers pass only what is multiplied often; weights and per-pixel kernels are read once.
    """
    kind = tensors[0].device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype(kind)) for tensor in tensors)
