"""What the Triton kernels share: tile sizes, rules, launching, and a little device code.

Triton is optional. Without it, this module and the kernels can still be imported (by tools that
walk over all modules), but nothing can be launched.
"""

# Device code has no type annotations but tl.constexpr: its arguments are Triton's.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

try:
    import triton  # type: ignore[import-not-found, import-untyped]
    from triton import language as tl  # type: ignore[import-not-found, import-untyped]
except ImportError:
    triton = tl = None

__all__ = ["tl"]  # handed on to the kernels: Triton may be missing

jit: Callable[[Any], Any] = (lambda kernel: kernel) if triton is None else triton.jit

# Offsets inside a sample are 32-bit below this extent and 64-bit from it on; offsets between
# samples are always 64-bit.
NARROW_EXTENT = 2**31

_HALF = (torch.float16, torch.bfloat16)


@dataclasses.dataclass(frozen=True)
class Tiles:
    """How a kernel cuts its work; all but ``slots`` and ``stages`` must be powers of two.

    The sizes affect speed and rounding in the last bits, never which sums are computed.

    Attributes:
        rows: Rows of a tile of pixels; ``rows * columns`` is at least 16 for ``kernel_apply``.
        columns: Columns of a tile of pixels, contiguous in memory.
        taps: Taps of the window held at a time; at least 16 for ``kernel_apply``.
        bases: Basis kernels held at a time, at least 16; all of them where there are fewer.
        channels: Image channels that share one read of the weights or kernels.
        run: Outputs in a row that ``kernel_apply.backward_padded`` mixes at a time, at least 16;
            more where the window is long, fewer where the image is narrow.
        slots: Maximum number of partial sums in ``kernel_apply.backward_bases`` (but at least one
            per sample for per-sample bases).
        warps: Warps of a program.
        stages: Stages of software pipelining.
    """

    rows: int = 2
    columns: int = 32
    taps: int = 32
    bases: int = 32
    channels: int = 4
    run: int = 64
    slots: int = 64
    warps: int = 4
    stages: int = 2


def tiles_for(kernel_size: int, bases: int = 0) -> Tiles:
    """Choose tiles by a fixed rule, so that the same shapes always take the same path.

    Chosen by what ptxas reports for k = 15, 3 channels, sm_80 and sm_90: at most 170 registers per
    thread with up to 16 bases and 240 with more, and hardly any spilling. Not tuned by timing.

    Args:
        kernel_size: Side k of the square window.
        bases: Number of basis kernels; 0 for ``pixel_kernel_apply``.
    """
    if not bases:
        # No matrix product: a tile only sets how much is loaded at a time.
        return Tiles(rows=4, taps=16)
    taps, block = power_of_two(kernel_size**2, 16, 32), power_of_two(bases, 16, 32)
    return Tiles(taps=taps, bases=block)


def power_of_two(number: int, least: int = 1, most: int = 2**30) -> int:
    """Return the smallest power of two >= ``number``, clamped to [``least``, ``most``]."""
    return min(most, max(least, 1 << max(0, number - 1).bit_length()))


def supports(*dtypes: torch.dtype) -> bool:
    """Whether the kernels support these dtypes, in any mixture: float32, float16, bfloat16."""
    return all(dtype == torch.float32 or dtype in _HALF for dtype in dtypes)


def refuse_unsupported(*tensors: Tensor) -> None:
    """Raise NotImplementedError for dtypes that the kernels do not support."""
    dtypes = [tensor.dtype for tensor in tensors]
    if not supports(*dtypes):
        raise NotImplementedError(f"the Triton kernels do not support {dtypes}: use the torch path")


def dot_settings(*factors: Tensor) -> dict[str, Any]:
    """Return the constants ``PRECISION`` and ``HALF`` for matrix products of these tensors.

    Products of half precision are exact in float32, so such tensors feed the tensor cores directly.
    Float32 is split into three TF32 products, which keeps its precision.
    """
    half = len({factor.dtype for factor in factors}) == 1 and factors[0].dtype in _HALF
    device = factors[0].device
    # The interpreter would multiply the integers that store bfloat16.
    half_products = half and (device.type == "cuda" or factors[0].dtype == torch.float16)
    # TF32 exists from Ampere on; neither AMD's compiler nor the interpreter supports the split.
    splits = (
        device.type == "cuda"
        and torch.version.hip is None
        and torch.cuda.get_device_capability(device)[0] >= 8
    )
    # Float32 factors computed from bfloat16 tensors are more precise than the result, so one TF32
    # product suffices. Float16 has as many digits as TF32, so its sums must not be rounded to it.
    coarse = half and factors[0].dtype == torch.bfloat16
    precision = ("tf32" if coarse else "tf32x3") if splits else "ieee"
    return {"PRECISION": precision, "HALF": half_products}


def index_type(*tensors: Tensor) -> Any:
    """Return the integer type that can address every element of a sample of these tensors."""
    return tl.int64 if max(map(_extent, tensors), default=0) >= NARROW_EXTENT else tl.int32


def _extent(tensor: Tensor) -> int:
    sizes, strides = tensor.shape[-3:], tensor.stride()[-3:]
    return sum(size * abs(step) for size, step in zip(sizes, strides, strict=True))


def launch(
    kernel: Any, programs: int, tiles: Tiles, tensors: tuple[Tensor, ...], **arguments: Any
) -> None:
    """Launch a kernel on the device of its tensors, each passed as pointer and strides."""
    if programs == 0:
        return
    passed: list[Any] = []
    for tensor in tensors:
        passed += [tensor, *tensor.stride()]
    first = tensors[0]
    # Triton launches on the current device, which need not be the tensors'.
    guard: Any = torch.cuda.device_of(first) if first.is_cuda else contextlib.nullcontext()
    # Explicit, because triton 3.9 warns without it and 3.10 changes the default. The interpreter
    # does not have this option.
    options = {"enable_fp_fusion": True} if first.is_cuda else {}
    with guard:
        kernel[(programs,)](
            *passed,
            INDEX=index_type(*tensors),
            num_warps=tiles.warps,
            num_stages=tiles.stages,
            **options,
            **arguments,
        )


def ceil_div(number: int, divisor: int) -> int:
    """Return ``number / divisor``, rounded up."""
    return -(-number // divisor)


@jit
def tile_pixels(tile, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Return rows, columns and validity of a tile's pixels, each of shape (ROWS * COLUMNS,)."""
    across = tl.cdiv(width, COLUMNS)
    lane = tl.arange(0, ROWS * COLUMNS)
    row = (tile // across) * ROWS + lane // COLUMNS
    column = (tile % across) * COLUMNS + lane % COLUMNS
    return row, column, (row < height) & (column < width)


@jit
def window_taps(start, K: tl.constexpr, TAPS: tl.constexpr):
    """Return row, column and validity of TAPS taps of a K x K window, in row-major order."""
    tap = start + tl.arange(0, TAPS)
    return tap // K, tap % K, tap < K * K


@jit
def gradient_windows(
    grad, grad_c, pixels, inside, padded, padded_c, taps, taken,
    C: tl.constexpr, PIXELS: tl.constexpr, TAPS: tl.constexpr,
):  # fmt: skip
    """Sum gradient times window over the channels: (PIXELS, TAPS) in float32."""
    mixed = tl.zeros((PIXELS, TAPS), tl.float32)
    for c in range(C):
        # 64-bit: a channel's offset may exceed 2**31 where offsets inside it do not.
        g = tl.load(grad + tl.cast(c, tl.int64) * grad_c + pixels, mask=inside, other=0.0)
        x = tl.load(
            padded + tl.cast(c, tl.int64) * padded_c + taps,
            mask=inside[:, None] & taken[None, :],
            other=0.0,
        )
        mixed += g.to(tl.float32)[:, None] * x.to(tl.float32)
    return mixed
