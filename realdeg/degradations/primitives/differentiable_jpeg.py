"""JPEG as tensor arithmetic: on every device, in batches, with a gradient."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Annex K of ITU-T T.81, rows by vertical frequency.
_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_CORNER = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))  # else 99
# JFIF: full-range BT.601.
_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
# DiffJPEG divides by 0 at quality 100; the smallest step at quality 99 is 0.2.
_FINEST_STEP = 0.1

FLAVOURS = ("diffjpeg", "libjpeg")


def differentiable_jpeg(
    x: Tensor,
    qualities: Tensor | Sequence[float],
    differentiable: bool = True,
    flavour: str = "diffjpeg",
) -> Tensor:
    """Compress and decompress as JPEG with 4:2:0 chroma, without entropy coding.

    ``"diffjpeg"`` is the code that Real-ESRGAN trains with (mlomnitz/DiffJPEG, in BasicSR
    ``utils/diffjpeg.py``), with its three departures from the standard: the quantisation tables
    are transposed, steps are neither integers nor at least 1, and an image that does not fill its
    last blocks of 16 is padded with black. ``"libjpeg"`` has the standard's tables and libjpeg's
    steps, padding, rounding to 8 bit and smooth chroma upsampling.

    Args:
        x: Images in [0, 1], shape (B, C, H, W) with C = 1 or 3; grey has no chroma.
        qualities: One number per image from 1 to 100, not necessarily an integer.
        differentiable: Whether rounding is ``round(v) + (v - round(v)) ** 3`` (Shin & Song,
            NIPS workshop on machine deception 2017), which has a gradient, or exact.
        flavour: ``"diffjpeg"`` or ``"libjpeg"``.

    Returns:
        Images clipped to [0, 1], not rounded to 8 bit, shape (B, C, H, W).

    Raises:
        ValueError: If an argument is out of range or does not fit the batch.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"compression takes (B, C, H, W) with C = 1 or 3, got {tuple(x.shape)}")
    if flavour not in FLAVOURS:
        raise ValueError(f"flavour is one of {', '.join(FLAVOURS)}, got {flavour!r}")
    numbers = qualities.tolist() if isinstance(qualities, Tensor) else list(qualities)
    if len(numbers) != x.shape[0]:
        raise ValueError(f"{len(numbers)} qualities were given for {x.shape[0]} images")
    for quality in numbers:
        if not 1 <= quality <= 100:
            raise ValueError(f"a quality is a number from 1 to 100, got {quality}")
    if not x.shape[0]:
        return x.clone()
    exact = functools.partial(_round, differentiable=differentiable)
    # libjpeg stores 8-bit samples before and after the transform, DiffJPEG does not.
    store = _same if flavour == "diffjpeg" else exact
    height, width = x.shape[2:]
    pixels = _fill(store(x * 255), 8 if x.shape[1] == 1 else 16, flavour)
    luma_steps, chroma_steps = (_steps(k, numbers, flavour, x) for k in ("luma", "chroma"))
    if x.shape[1] == 1:
        decoded = store(_code(pixels - 128, luma_steps, exact) + 128)
    else:
        # Chroma is signed here, so that only luma is shifted by 128.
        luma, chroma = (torch.einsum("oc,bchw->bohw", m, pixels) for m in _colour_rows(x))
        chroma = store(F.avg_pool2d(store(chroma), 2))
        luma = store(_code(store(luma) - 128, luma_steps, exact) + 128)
        chroma = store(_code(chroma, chroma_steps, exact))
        smooth = {"mode": "bilinear", "align_corners": False} if flavour == "libjpeg" else {}
        blue, red = store(F.interpolate(chroma, scale_factor=2, **smooth)).unbind(1)  # type: ignore[arg-type]
        light = luma[:, 0]
        decoded = torch.stack([light + b * blue + r * red for _, b, r in _TO_RGB], 1)
    return decoded[..., :height, :width].clamp(0, 255) / 255


def _round(values: Tensor, differentiable: bool) -> Tensor:
    # Rounding has a zero gradient, so only the cube's gradient remains.
    whole = values.round()
    return whole + (values - whole) ** 3 if differentiable else whole


def _same(values: Tensor) -> Tensor:
    return values


def _colour_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    matrix = torch.tensor(_TO_YCBCR, dtype=x.dtype, device=x.device)
    return matrix[:1], matrix[1:]


def _fill(pixels: Tensor, grid: int, flavour: str) -> Tensor:
    """Pad images at the right and bottom to whole blocks."""
    down, right = (-size % grid for size in pixels.shape[2:])
    if not down and not right:
        return pixels
    if flavour == "libjpeg":
        return F.pad(pixels, (0, right, 0, down), mode="replicate")
    return F.pad(pixels, (0, right, 0, down))


def _code(planes: Tensor, steps: Tensor, quantise: Callable[[Tensor], Tensor]) -> Tensor:
    """Transform 8 x 8 blocks of (B, P, H, W), quantise, and transform back."""
    batch, count, height, width = planes.shape
    blocks = planes.view(batch, count, height // 8, 8, width // 8, 8)
    blocks = blocks.permute(0, 1, 2, 4, 3, 5).reshape(batch, -1, 64)
    transform = _cosines().to(planes)
    blocks = (quantise(blocks @ transform.t() / steps) * steps) @ transform
    blocks = blocks.view(batch, count, height // 8, width // 8, 8, 8)
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(batch, count, height, width)


@functools.lru_cache(maxsize=1)
def _cosines() -> Tensor:
    """Return the orthonormal two-dimensional transform, rows are frequencies, shape (64, 64)."""
    place = torch.arange(8, dtype=torch.float64)
    one = torch.cos(place[:, None] * (2 * place + 1) * (math.pi / 16)) / 2
    one[0] /= math.sqrt(2)
    return torch.kron(one, one).float()


def _steps(kind: str, qualities: Sequence[float], flavour: str, x: Tensor) -> Tensor:
    """Return the quantisation steps of each image, shape (B, 1, 64)."""
    tables = [_table(kind, float(quality), flavour) for quality in qualities]
    return torch.stack(tables)[:, None].to(x)


@functools.lru_cache(maxsize=512)
def _table(kind: str, quality: float, flavour: str) -> Tensor:
    table = torch.tensor(_LUMA_TABLE, dtype=torch.float64)
    if kind == "chroma":
        table = torch.full((8, 8), 99.0, dtype=torch.float64)
        table[:4, :4] = torch.tensor(_CHROMA_CORNER, dtype=torch.float64)
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    if flavour == "libjpeg":
        return ((table * int(percent) + 50) / 100).floor().clamp(1, 255).flatten()
    return (table.t() * (percent / 100)).clamp_min(_FINEST_STEP).flatten()
