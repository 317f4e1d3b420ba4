"""The steps of pipelines: one table from names to functions over primitives.

A step takes one image (1, C, H, W) and the fields of its record by name, and returns a new image.
It does not modify its input and draws nothing. Its signature defines the fields of a record. Other
packages can add steps with :func:`register_step`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from realdeg.degradations.primitives.borders import Border, padding_of
from realdeg.degradations.primitives.compression import jpeg, webp
from realdeg.degradations.primitives.differentiable_jpeg import differentiable_jpeg
from realdeg.degradations.primitives.filtering import filter_image
from realdeg.degradations.primitives.kernels import gaussian_kernel, make_kernel, shift_kernel
from realdeg.degradations.primitives.noise import (
    NoiseKind,
    gaussian_noise,
    level_peaks,
    poisson_noise,
    speckle_noise,
)
from realdeg.degradations.primitives.resample import ResampleMode, resample, s_fold
from realdeg.degradations.primitives.sharpen import unsharp_mask
from realdeg.degradations.trace import Seed, checked_params
from realdeg.errors import ConfigError, DataError, nearest
from realdeg.utils.annotations import mismatch
from realdeg.utils.arguments import arguments_of
from realdeg.utils.deprecation import warn_renamed

StepFunction: TypeAlias = Callable[..., Tensor]
F = TypeVar("F", bound=StepFunction)

# Bounds the memory that a trace can request; no preset draws a larger kernel.
_LARGEST_KERNEL = 101
Size: TypeAlias = tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]]
"""(height, width) in pixels."""
Level: TypeAlias = Annotated[float, Interval(ge=0, le=255)]
"""Grey levels from 0 to 255."""
Quality: TypeAlias = Annotated[int, Interval(ge=1, le=100)]

STEPS: dict[str, StepFunction] = {}
"""Every step by its ``"op"``."""


def register_step(op: str, fields: Collection[str] | None = None) -> Callable[[F], F]:
    """Add a step to the table, as a decorator.

    Args:
        op: The name in records.
        fields: No longer needed: the function's keyword arguments are the fields of its record.

    Returns:
        The decorator; it returns the function unchanged. The function takes the image, shape
        (1, C, H, W), and each field as a keyword argument, whose annotation states what a trace
        may hold (see :class:`~realdeg.degradations.trace.TraceParams`).

    Raises:
        ConfigError: If the name is taken.

    Example:
        >>> @register_step("doctest_darken")
        ... def darken(x: Tensor, /, *, factor: Annotated[float, Interval(ge=0, le=1)]) -> Tensor:
        ...     return x * factor
        >>> _ = STEPS.pop("doctest_darken")
    """

    def add(function: F) -> F:
        if op in STEPS:
            raise ConfigError(f"a pipeline step named '{op}' exists already: choose another name.")
        parameters = inspect.signature(function).parameters.values()
        positional = [item for item in parameters if item.kind is not item.KEYWORD_ONLY]
        if fields is None and len(positional) == 1:
            STEPS[op] = function
            return function
        warn_renamed("a pipeline step f(x, step)", "f(x, /, *, field: type, ...)")

        def former(x: Tensor, /, **record: Any) -> Tensor:
            for name in record:
                if name not in (fields or ()):
                    raise ValueError(f"it has no field {name!r:.40}")
            return function(x, StepRecord(record))

        STEPS[op] = former
        return function

    return add


def run_step(x: Tensor, record: Mapping[str, Any], where: str, largest: tuple[int, int]) -> Tensor:
    """Apply one step.

    Args:
        x: One image, shape (1, C, H, W); not modified.
        record: ``"op"`` and the step's fields.
        where: The step's location, for messages: ``"step 3 (jpeg) in the trace of BSRGAN"``.
        largest: The largest (height, width) in pixels of a step's result.

    Returns:
        The image after the step.

    Raises:
        DataError: If the step is unknown, or a field missing, unknown or out of range.
    """
    op = record.get("op")
    known = STEPS.get(op) if isinstance(op, str) else None
    if known is None:
        raise DataError(
            f"{where}: there is no such step; known are {', '.join(STEPS)}."
            f"{nearest(str(op)[:40], list(STEPS))}"
        )
    arguments = step_fields(known, record, where, largest)
    try:
        return known(x, **arguments)
    except ValueError as error:
        # Primitives name the value that they refuse; here it can only come from the trace.
        raise DataError(f"{where}: {error}.") from error


def step_fields(
    kind: Callable[..., Any], record: Mapping[str, Any], where: str, largest: tuple[int, int]
) -> dict[str, Any]:
    """Return the fields of a step's record, each checked.

    Args:
        kind: The step's function, or a dataclass.
        record: ``"op"`` and the fields.
        where: The step's location, for messages.
        largest: The largest value of ``size``, (height, width).

    Returns:
        The fields by name.

    Raises:
        DataError: If one is missing, unknown or out of range.
    """
    fields = {name: value for name, value in record.items() if name != "op"}
    known = arguments_of(kind)
    if known.open:
        return fields
    for name in fields:
        if name not in known:
            raise DataError(f"{where} has no field {name!r:.40}.")
    found = checked_params(kind, fields, where)
    size = found.get("size", largest)
    if size[0] > largest[0] or size[1] > largest[1]:
        raise DataError(f"{where}: 'size' is {size!r}, wanted at most {list(largest)} pixels.")
    return found


@register_step("blur")
def blur(x: Tensor, /, *, kernel: Mapping[str, Any], border: Border = "reflect") -> Tensor:
    """Correlate with a kernel, given as a record."""
    size = kernel.get("size")
    if isinstance(size, int) and size > _LARGEST_KERNEL:
        raise ValueError(f"a kernel of {size!r:.20} pixels is larger than {_LARGEST_KERNEL}")
    return filter_image(x, make_kernel(kernel), padding_of(border))


@register_step("shifted_kernel_down")
def shifted_kernel_down(
    x: Tensor,
    /,
    *,
    kernel_size: Annotated[int, Interval(ge=1, le=_LARGEST_KERNEL)],
    sigma: Annotated[float, Interval(ge=1e-6, le=1e3)],
    scale: Annotated[int, Interval(ge=1, le=16)],
) -> Tensor:
    """Blur and keep every ``scale``-th pixel, with the kernel shifted so that nothing moves.

    LR pixel i is HR pixel ``scale * i`` of the blurred image. For it to show the scene at
    ``scale * i + (scale - 1) / 2``, the correlation kernel's centroid is shifted by the difference.
    BSRGAN's code does the same by shifting a convolution kernel the other way.
    """
    shift = (scale - 1) / 2
    kernel = shift_kernel(gaussian_kernel(kernel_size, sigma), (shift, shift))
    return s_fold(filter_image(x, kernel, "reflect"), scale, 0).clamp_(0, 1)


@register_step("resize")
def resize(x: Tensor, /, *, size: Size, mode: ResampleMode, clip: bool = False) -> Tensor:
    """Resample to a size by a named method; nothing is clipped unless ``clip``."""
    height, width = size
    # At equal size every method returns the image itself.
    if (height, width) == tuple(x.shape[2:]):
        return x.clamp(0, 1) if clip else x
    result = resample(x, (height, width), mode)
    return result.clamp_(0, 1) if clip else result


def _noise_step(add: Callable[..., Tensor]) -> StepFunction:
    """Return the step of a noise primitive; ``sigma`` is in grey levels from 0 to 255."""

    def step(
        x: Tensor,
        /,
        *,
        kind: NoiseKind,
        noise_seed: Seed,
        sigma: Level | None = None,
        covariance: Sequence[Sequence[float]] | None = None,
        clip: bool = True,
    ) -> Tensor:
        correlated = kind == "correlated"
        if sigma is None and not correlated:
            raise ValueError(f"noise of kind '{kind}' needs 'sigma'")
        matrix = _as_covariance(covariance)[None] if correlated else None
        level = 0.0 if sigma is None else sigma / 255
        return _clipped(add(x, [level], [noise_seed], kind, matrix), clip)

    return step


register_step("gaussian_noise")(_noise_step(gaussian_noise))
register_step("speckle_noise")(_noise_step(speckle_noise))


@register_step("poisson_noise")
def add_poisson_noise(
    x: Tensor,
    /,
    *,
    peak: Literal["levels"] | Annotated[float, Interval(ge=1e-3, le=1e6)],
    noise_seed: Seed,
    scale: Annotated[float, Interval(ge=0, le=100)] = 1.0,
    grey: bool = False,
    clip: bool = True,
) -> Tensor:
    """Add photon noise; ``peak`` is a number or ``"levels"`` (Real-ESRGAN's choice)."""
    peaks = level_peaks(x, [grey]) if peak == "levels" else [float(peak)]
    return _clipped(poisson_noise(x, peaks, [noise_seed], [grey], [scale]), clip)


@register_step("jpeg")
def compress_jpeg(x: Tensor, /, *, quality: Quality) -> Tensor:
    """Compress and decompress by libjpeg."""
    return jpeg(x, [quality])


@register_step("differentiable_jpeg")
def compress_differentiable_jpeg(
    x: Tensor, /, *, quality: Annotated[float, Interval(ge=1, le=100)]
) -> Tensor:
    """Compress by Real-ESRGAN's JPEG in tensor operations, rounding as a codec does."""
    qualities = torch.tensor([quality], dtype=torch.float32, device=x.device)
    return differentiable_jpeg(x, qualities, differentiable=x.requires_grad)


@register_step("webp")
def compress_webp(x: Tensor, /, *, quality: Quality) -> Tensor:
    """Compress and decompress by WebP."""
    return webp(x, [quality])


@register_step("unsharp")
def unsharp(
    x: Tensor,
    /,
    *,
    weight: Annotated[float, Interval(ge=0, le=10)] = 0.5,
    radius: Annotated[int, Interval(ge=1, le=2 * _LARGEST_KERNEL)] = 50,
    threshold: Level = 10.0,
) -> Tensor:
    """Sharpen, only where the difference exceeds a threshold in grey levels."""
    return unsharp_mask(x, weight, radius, threshold)


@register_step("clip")
def clip_values(x: Tensor, /) -> Tensor:
    """Clip values to [0, 1]."""
    return x.clamp(0, 1)


@register_step("quantise")
def quantise(x: Tensor, /) -> Tensor:
    """Round to 8-bit levels, half to even as NumPy and torch do, and clip to [0, 1]."""
    return x.mul(255).round_().clamp_(0, 255).div_(255)


def _as_covariance(rows: Sequence[Sequence[float]] | None) -> Tensor:
    """Return a 3 x 3 matrix in squared units of [0, 1] after checking that it is a covariance."""
    wrong = ValueError("'covariance' is not a 3 x 3 covariance of numbers within [-1, 1]")
    if rows is None or [len(row) for row in rows] != [3, 3, 3]:
        raise wrong
    matrix = np.array(rows, dtype=np.float64)
    if abs(matrix).max() > 1 or not np.allclose(matrix, matrix.T, atol=1e-9):
        raise wrong
    if np.linalg.eigvalsh(matrix).min() < -1e-9:
        raise wrong
    return torch.from_numpy(matrix)


def _clipped(fresh: Tensor, clip: bool) -> Tensor:
    # In place: the noise functions return a new tensor.
    return fresh.clamp_(0, 1) if clip else fresh


@dataclass(frozen=True)
class StepRecord:
    """A step's record for functions of the former kind, ``f(x, step)``.

    Args:
        fields: The step's fields.
    """

    fields: Mapping[str, Any]

    def _read(self, name: str, annotation: Any, default: Any) -> Any:
        value = self.fields.get(name, default)
        wrong = mismatch(value, annotation)
        if wrong:
            raise ValueError(f"'{name}' {wrong}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a number from ``low`` to ``high``."""
        return float(self._read(name, Annotated[float, Interval(ge=low, le=high)], default))

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from ``low`` to ``high``."""
        return int(self._read(name, Annotated[int, Interval(ge=low, le=high)], default))

    def seed(self, name: str = "noise_seed") -> int:
        """Return the seed of a random field."""
        return int(self._read(name, Seed, None))

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value."""
        return bool(self._read(name, bool, default))

    def choice(self, name: str, options: Collection[str], default: str | None = None) -> str:
        """Return one of the options."""
        return str(self._read(name, Literal[tuple(options)], default))
