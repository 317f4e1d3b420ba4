"""Whether a call goes to the Triton kernels; torch's own operators serve everything else."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor

from realdeg.ops.triton import available

_available = lru_cache(maxsize=1)(available)


def use_triton(*tensors: Tensor) -> bool:
    """Whether all of the tensors are on a GPU that has Triton, in a dtype its kernels know.

    Args:
        tensors: The operator's inputs.
    """
    if not all(tensor.is_cuda for tensor in tensors) or not _available():
        return False
    return triton_path("kernel_apply").supports(*(tensor.dtype for tensor in tensors))


def triton_path(operator: str) -> ModuleType:
    """Import an operator's Triton kernels, at the first call only: triton is slow to import.

    Args:
        operator: ``"kernel_apply"`` or ``"pixel_kernel_apply"``.
    """
    return importlib.import_module(f"realdeg.ops.triton.{operator}")


def compute_dtype(*tensors: Tensor) -> torch.dtype:
    """Return the dtype that an operator computes in; the first tensor's where Triton does.

    Args:
        tensors: The operator's inputs, the image first.
    """
    if use_triton(*tensors):
        # The kernels read half precision as it is and accumulate in float32.
        return tensors[0].dtype
    wide = any(tensor.dtype == torch.float64 for tensor in tensors)
    return torch.float64 if wide else torch.float32


def as_autocast_says(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast what is multiplied most to autocast's dtype, where autocast is on.

    Weights and per-pixel kernels are not handed over: they are read once, as they are.

    Args:
        tensors: Tensors of one device.
    """
    kind = tensors[0].device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype(kind)) for tensor in tensors)
