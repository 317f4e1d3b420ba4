"""SRMD's codes of kernels, at their former place: see ``primitives.kernel_code``."""

from __future__ import annotations

from realdeg.degradations.primitives.kernel_code import (
    DIMENSIONS,
    code_maps,
    decode_kernel,
    degradation_pca,
    encode_kernel,
)

__all__ = ["DIMENSIONS", "code_maps", "decode_kernel", "degradation_pca", "encode_kernel"]
