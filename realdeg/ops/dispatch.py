"""Whether a call goes to the Triton kernels; torch's own operators serve everything else."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType

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
