"""The choice of ``kernel_apply``'s path: a fixed function of shapes and dtype, never of timings.

Per output pixel, direct convolution multiplies ``M * k * (k + p - 1)`` times when p output rows
are computed as channels (p - 1 rows of each enlarged kernel are zero). The cost of the Fourier path
does not depend on k: an inverse transform and two products for each of M bases, and about as much
as one basis for the image. So there is one crossover,

    M * k * (k + p - 1) > c * (M + 1)

(for a window of kh x kw: ``M * kw * (kh + p - 1)``) with a constant for the forward pass and one
for the backward pass (whose convolutions are slower). docs/kernel_apply.md derives it and shows the
sweep that the constants were read off.
"""

from __future__ import annotations

import torch

from realdeg.ops.padding import KernelSize, sides

# Multiplications of the direct path that cost as much as one basis on the Fourier path. Large
# images alone would give 270, batches of small ones 400.
_FORWARD_CROSSOVER = 330
_BACKWARD_CROSSOVER = 75

# Longer windows do not fit a tile of the Fourier path.
_LONGEST = 160

# A vector register holds 16 float32, or 32 bfloat16: fewer output channels leave part of it unused.
_CHANNELS = {torch.float32: 16, torch.bfloat16: 32}


def takes_fourier(
    kernel_size: KernelSize, bases: int, stride: int, dtype: torch.dtype, backward: bool
) -> bool:
    """Whether the Fourier path, which needs stride 1 and float32, is faster than convolution.

    Args:
        kernel_size: Side k of the kernels, or (rows, columns).
        bases: Number M of basis kernels.
        stride: Input pixels per output pixel.
        dtype: The dtype computed in.
        backward: Whether the gradients of the image and the bases are computed.
    """
    down, across = sides(kernel_size)
    if stride != 1 or dtype != torch.float32 or max(down, across) > _LONGEST:
        return False
    crossover = _BACKWARD_CROSSOVER if backward else _FORWARD_CROSSOVER
    rows = down + row_phases(bases, dtype, backward) - 1
    return bases * across * rows > crossover * (bases + 1)


def row_phases(bases: int, dtype: torch.dtype, backward: bool) -> int:
    """Return how many output rows the direct path computes as channels: a power of two up to 16.

    Arguments as in :func:`takes_fourier`.
    """
    # The float64 convolution gains nothing from more channels.
    most = _CHANNELS.get(dtype, 1)
    phases = 1
    while phases * 2 * bases <= most and phases < 16:
        phases *= 2
    return max(2, phases) if backward and most > 1 else phases


def multiplies_bfloat16() -> bool:
    """Whether this CPU has bfloat16 instructions; elsewhere torch emulates them slowly."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)
