"""The GPU path of the operators, written in Triton.

Importing this package imports neither triton nor the kernels. Ask :func:`available`, then import
``realdeg.ops.triton.kernel_apply`` or ``realdeg.ops.triton.pixel_kernel_apply`` where they are
called. Both take the image padded by :func:`realdeg.ops.padding.pad`.
"""

from __future__ import annotations

import importlib
import os

import torch

__all__ = ["available"]


def available() -> bool:
    """Return whether triton 3.3 or later is installed and there is a GPU.

    Triton's interpreter counts as one: ``TRITON_INTERPRET=1``, set before triton is first imported.
    """
    if not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
        return False
    try:
        language = importlib.import_module("triton.language")
    except ImportError:
        return False
    # The newest feature of triton in use; where it is missing, torch computes.
    return hasattr(language, "gather")
