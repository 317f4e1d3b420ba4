"""Computing what must not be rounded to half precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(image: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast, for what is added to an image itself.

    Args:
        image: Says the device. Bfloat16's 8 bits of mantissa are too few for an 8-bit image.
    """
    return nullcontext() if image.is_meta else torch.autocast(image.device.type, enabled=False)
