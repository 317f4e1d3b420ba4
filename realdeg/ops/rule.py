"""Which path ``kernel_apply`` takes: a fixed function of shapes and dtype, never of a timing.

Per output pixel, direct convolution multiplies ``M * k * (k + p - 1)`` times when p output rows
are computed as channels (p - 1 rows of each enlarged kernel are zero). The Fourier path costs the
same for every k: an inverse transform and two products for each of M bases, and about one
basis' worth for the image. So there is one crossover,

    M * k * (k + p - 1) > c * (M + 1)

with a constant for the forward pass and one for the backward pass (whose convolutions are slower).
docs/kernel_apply.md derives it and shows the sweep that the constants were read off.
"""

from __future__ import annotations

import torch

# How many of the direct path's multiplications cost as much as a basis does on the Fourier path.
# Large images alone would have 270, batches of small ones 400.
_FORWARD_CROSSOVER = 330
_BACKWARD_CROSSOVER = 75

# A vector register holds 16 float32, or 32 bfloat16: fewer output channels than that waste it.
_CHANNELS = {torch.float32: 16, torch.bfloat16: 32}


def takes_fourier(
    kernel_size: int, bases: int, stride: int, dtype: torch.dtype, backward: bool
) -> bool:
    """Whether the Fourier path is the faster one.

    Args:
        kernel_size: Side k of the kernels.
        bases: Their number M.
        stride: Input pixels per output pixel; only 1 has a Fourier path.
        dtype: The dtype that is computed in; only float32 has a Fourier path.
        backward: Whether it is about the gradients of the image and the bases.

    Returns:
        True for the Fourier path, False for direct convolution.
    """
    if stride != 1 or dtype != torch.float32:
        return False
    crossover = _BACKWARD_CROSSOVER if backward else _FORWARD_CROSSOVER
    rows = kernel_size + row_phases(bases, dtype, backward) - 1
    return bases * kernel_size * rows > crossover * (bases + 1)


def row_phases(bases: int, dtype: torch.dtype, backward: bool) -> int:
    """How many output rows the direct path computes as channels.

    Args:
        bases: Number M of basis kernels.
        dtype: The dtype that is computed in.
        backward: Whether it is about the gradients of the image and the bases.

    Returns:
        A power of two from 1 to 16.
    """
    # float64 is multiplied by a library that gains nothing from more channels.
    most = _CHANNELS.get(dtype, 1)
    phases = 1
    while phases * 2 * bases <= most and phases < 16:
        phases *= 2
    return max(2, phases) if backward and most > 1 else phases


def multiplies_bfloat16() -> bool:
    """Whether this CPU has bfloat16 instructions; torch emulates them elsewhere, slowly."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)
