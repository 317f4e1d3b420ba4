"""Blur kernels: every family by name, and from the plain records in traces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from torch import Tensor

from realdeg.degradations.primitives.kernel_families import (
    LARGEST_KERNEL,
    SUM_TOLERANCE,
    delta_kernel,
    disk_kernel,
    gaussian_kernel,
    gaussian_kernel_from_variance,
    generalised_gaussian_kernel,
    motion_kernel,
    plateau_kernel,
    sinc_kernel,
)
from realdeg.degradations.primitives.kernel_moments import (
    centroid,
    pad_kernel,
    second_moments,
    shift_kernel,
    shift_to_centroid,
)

__all__ = [
    "LARGEST_KERNEL",
    "SUM_TOLERANCE",
    "centre_rest",
    "centred",
    "centroid",
    "delta_kernel",
    "disk_kernel",
    "gaussian_kernel",
    "gaussian_kernel_from_variance",
    "generalised_gaussian_kernel",
    "make_kernel",
    "motion_kernel",
    "pad_kernel",
    "plateau_kernel",
    "second_moments",
    "shift_kernel",
    "shift_to_centroid",
    "sinc_kernel",
]


# In pixels: a kernel whose centroid is nearer is left as it is.
_CENTRED = 0.02


def centre_rest(kernel_size: int, stride: int) -> float:
    """Return the offset of an LR pixel's centre from the middle of its window, per axis.

    The window of LR pixel i starts at ``stride * i + floor((stride - k) / 2)``, the pixel lies at
    ``stride * i + (stride - 1) / 2``.

    Args:
        kernel_size: Side k of the window in HR pixels.
        stride: HR pixels per LR pixel on the grid.

    Returns:
        0, or half a pixel where ``stride - k`` is odd.
    """
    return (stride - kernel_size) / 2 - (stride - kernel_size) // 2


def centred(kernel: Tensor, scale: int) -> Tensor:
    """Shift a kernel until its centroid lies on the LR pixel, so that HR and LR stay aligned.

    Args:
        kernel: (k, k) with sum 1.
        scale: HR pixels per LR pixel.

    Returns:
        (k, k), or (k + 2, k + 2) if it was shifted; float64.
    """
    kernel = kernel.double()
    rest = centre_rest(int(kernel.shape[-1]), scale)
    if max(abs(one - rest) for one in centroid(kernel)) < _CENTRED:
        return kernel
    wider = pad_kernel(kernel, int(kernel.shape[-1]) + 2)
    return shift_to_centroid(wider, (rest, rest))


# Ranges are wide: they only keep an invalid record from exhausting memory or producing NaN.
_SIGMA, _VARIANCE, _BETA = (1e-8, 1e4), (1e-16, 1e8), (1e-2, 64.0)
_ANGLE, _CENTRE = (-100.0, 100.0), (-float(LARGEST_KERNEL), float(LARGEST_KERNEL))
_OVAL = {"sigma_x": _SIGMA, "sigma_y": _SIGMA, "angle": _ANGLE, "beta": _BETA}
_SHAPES: dict[str, tuple[Callable[..., Tensor], dict[str, tuple[float, float]], set[str]]] = {
    # shape: function, the range of each argument, optional arguments
    "gaussian": (
        gaussian_kernel,
        {"sigma_x": _SIGMA, "sigma_y": _SIGMA, "angle": _ANGLE, "centre": _CENTRE},
        {"sigma_y", "angle", "centre"},
    ),
    "gaussian_variance": (
        gaussian_kernel_from_variance,
        {"variance_x": _VARIANCE, "variance_y": _VARIANCE, "angle": _ANGLE, "centre": _CENTRE},
        {"variance_y", "angle", "centre"},
    ),
    "generalised": (generalised_gaussian_kernel, _OVAL, set()),
    "plateau": (plateau_kernel, _OVAL, set()),
    "sinc": (sinc_kernel, {"cutoff": (1e-6, math.pi)}, set()),
    "motion": (
        motion_kernel,
        {"length": (0.0, 255.0), "angle": _ANGLE, "curvature": (-10.0, 10.0)},
        {"curvature"},
    ),
    "disk": (disk_kernel, {"radius": (1e-3, 1e3)}, set()),
    "delta": (delta_kernel, {}, set()),
}


def make_kernel(record: Mapping[str, Any]) -> Tensor:
    """Build a kernel from a plain record, as in traces.

    Args:
        record: ``"shape"``: gaussian, gaussian_variance, generalised, plateau, sinc, motion, disk
            or delta; ``"size"``: its side in pixels, from 1 to 255; and the arguments of the
            function of that shape by their names.

    Returns:
        float64, shape (size, size), sum 1.

    Raises:
        ValueError: If a field is missing, unknown or out of range; the message names it.
    """
    shape = record.get("shape")
    if not isinstance(shape, str) or shape not in _SHAPES:
        raise ValueError(f"a kernel's 'shape' is one of {', '.join(_SHAPES)}, got {shape!r:.60}")
    function, ranges, optional = _SHAPES[shape]
    size = record.get("size")
    if not _is(size, Integral) or not 1 <= int(size) <= LARGEST_KERNEL:  # type: ignore[arg-type]
        raise ValueError(f"a kernel's 'size' is from 1 to {LARGEST_KERNEL}, got {size!r:.60}")
    for name in record:
        if name not in ranges and name not in ("shape", "size"):
            raise ValueError(f"a kernel of shape {shape} has no field {name!r:.60}")
    arguments: dict[str, Any] = {}
    for name, (low, high) in ranges.items():
        value = record.get(name)
        if value is None and name in optional:
            continue
        if name == "centre":
            arguments[name] = _pair(value, low, high)
        else:
            arguments[name] = _number(value, name, low, high)
    return function(int(size), **arguments)  # type: ignore[arg-type]


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _number(value: Any, name: str, low: float, high: float) -> float:
    # NaN fails the comparison as well.
    if not _is(value, Real) or not low <= value <= high:
        raise ValueError(f"a kernel's '{name}' is from {low:g} to {high:g}, got {value!r:.60}")
    return float(value)


def _pair(value: Any, low: float, high: float) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"a kernel's 'centre' is (row, column), got {value!r:.60}")
    return _number(value[0], "centre", low, high), _number(value[1], "centre", low, high)
