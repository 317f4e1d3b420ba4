"""The steps that pipelines are made of: one table from a name to a function over primitives.

A step takes one image (1, C, H, W) and its checked record and returns a new image; it leaves its
input untouched and draws nothing. Pipelines of other packages may add steps of their own with
:func:`register_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from realdeg.degradations.primitives.compression import jpeg, webp
from realdeg.degradations.primitives.differentiable_jpeg import differentiable_jpeg
from realdeg.degradations.primitives.filtering import filter_image
from realdeg.degradations.primitives.kernels import gaussian_kernel, make_kernel, shift_kernel
from realdeg.degradations.primitives.noise import (
    NOISE_KINDS,
    gaussian_noise,
    level_peaks,
    poisson_noise,
    speckle_noise,
)
from realdeg.degradations.primitives.resample import MODES, resample, s_fold
from realdeg.degradations.primitives.sharpen import unsharp_mask
from realdeg.degradations.step_record import StepRecord
from realdeg.errors import ConfigError, nearest

StepFunction = Callable[[Tensor, StepRecord], Tensor]

# Between window and memory: a trace may not ask for more of a blur than any preset draws.
_LARGEST_KERNEL = 101
_BORDERS = ("reflect", "symmetric", "replicate", "wrap", "zeros")


class Step(NamedTuple):
    """A registered step.

    Args:
        function: What it does to an image.
        fields: The fields its record may have besides ``"op"``.
    """

    function: StepFunction
    fields: frozenset[str]


STEPS: dict[str, Step] = {}
"""Every step by its ``"op"``."""


def register_step(op: str, fields: Collection[str] = ()) -> Callable[[StepFunction], StepFunction]:
    """Add a step to the table, as a decorator.

    Args:
        op: The name that records carry.
        fields: The fields that its record may have besides ``"op"``.

    Returns:
        The decorator; it returns the function unchanged.

    Raises:
        ConfigError: If the name is taken.
    """

    def add(function: StepFunction) -> StepFunction:
        if op in STEPS:
            raise ConfigError(f"a pipeline step named '{op}' exists already: choose another name.")
        STEPS[op] = Step(function, frozenset(fields))
        return function

    return add


def run_step(x: Tensor, step: StepRecord) -> Tensor:
    """Carry out one step.

    Args:
        x: One image, shape (1, C, H, W); left untouched.
        step: Its record.

    Returns:
        The image after the step.

    Raises:
        DataError: If the step is unknown, or a field missing, unknown or out of range.
    """
    known = STEPS.get(step.op) if isinstance(step.fields.get("op"), str) else None
    if known is None:
        raise step.refuse(
            f"there is no such step; known are {', '.join(STEPS)}.{nearest(step.op, list(STEPS))}"
        )
    step.check_names(known.fields)
    try:
        return known.function(x, step)
    except ValueError as error:
        # Primitives say which value they refuse; here it can only come from the trace.
        raise step.refuse(str(error)) from error


@register_step("blur", ("kernel", "border"))
def blur(x: Tensor, step: StepRecord) -> Tensor:
    """Correlate with a kernel given by its parameters."""
    record = step.mapping("kernel")
    border = step.choice("border", _BORDERS, "reflect")
    _check_kernel_size(record, step)
    return filter_image(x, make_kernel(record), border)


@register_step("shifted_kernel_down", ("kernel_size", "sigma", "scale"))
def shifted_kernel_down(x: Tensor, step: StepRecord) -> Tensor:
    """Blur and keep every ``scale``-th pixel, the kernel shifted so that nothing moves.

    LR pixel i is HR pixel ``scale * i`` of the blurred image; for it to show the scene at
    ``scale * i + (scale - 1) / 2``, the correlation kernel's centroid lies that much further.
    BSRGAN's code reaches the same by shifting a convolution kernel the other way.
    """
    size = step.integer("kernel_size", 1, _LARGEST_KERNEL)
    sigma = step.number("sigma", 1e-6, 1e3)
    scale = step.integer("scale", 1, 16)
    shift = (scale - 1) / 2
    kernel = shift_kernel(gaussian_kernel(size, sigma), (shift, shift))
    return s_fold(filter_image(x, kernel, "reflect"), scale, 0).clamp_(0, 1)


@register_step("resize", ("size", "mode", "clip"))
def resize(x: Tensor, step: StepRecord) -> Tensor:
    """Resample to a size by a named method; nothing is clipped unless ``clip``."""
    size, mode = step.size(), step.choice("mode", MODES)
    clip = step.flag("clip", False)
    # To its own size every method gives the image itself.
    if size == tuple(x.shape[2:]):
        return x.clamp(0, 1) if clip else x
    result = resample(x, size, mode)
    return result.clamp_(0, 1) if clip else result


@register_step("gaussian_noise", ("sigma", "kind", "covariance", "noise_seed", "clip"))
def add_gaussian_noise(x: Tensor, step: StepRecord) -> Tensor:
    """Add Gaussian noise; ``sigma`` in grey levels of 0 to 255."""
    sigma, kind, covariance = _noise_strength(step)
    return _clip(gaussian_noise(x, [sigma], [step.seed()], kind, covariance), step)


@register_step("speckle_noise", ("sigma", "kind", "covariance", "noise_seed", "clip"))
def add_speckle_noise(x: Tensor, step: StepRecord) -> Tensor:
    """Add Gaussian noise multiplied by the image; ``sigma`` in grey levels of 0 to 255."""
    sigma, kind, covariance = _noise_strength(step)
    return _clip(speckle_noise(x, [sigma], [step.seed()], kind, covariance), step)


@register_step("poisson_noise", ("peak", "scale", "grey", "noise_seed", "clip"))
def add_poisson_noise(x: Tensor, step: StepRecord) -> Tensor:
    """Count photons; ``peak`` is a number or ``"levels"`` (Real-ESRGAN's own choice)."""
    grey = [step.flag("grey", False)]
    if step.fields.get("peak") == "levels":
        peaks = level_peaks(x, grey)
    else:
        peaks = [step.number("peak", 1e-3, 1e6)]
    scales = [step.number("scale", 0, 100, 1.0)]
    return _clip(poisson_noise(x, peaks, [step.seed()], grey, scales), step)


@register_step("jpeg", ("quality",))
def compress_jpeg(x: Tensor, step: StepRecord) -> Tensor:
    """Compress and decompress by libjpeg."""
    return jpeg(x, [step.integer("quality", 1, 100)])


@register_step("differentiable_jpeg", ("quality",))
def compress_differentiable_jpeg(x: Tensor, step: StepRecord) -> Tensor:
    """Compress by Real-ESRGAN's JPEG in tensor operations, rounding as a codec does."""
    quality = step.number("quality", 1, 100)
    qualities = torch.tensor([quality], dtype=torch.float32, device=x.device)
    return differentiable_jpeg(x, qualities, differentiable=x.requires_grad)


@register_step("webp", ("quality",))
def compress_webp(x: Tensor, step: StepRecord) -> Tensor:
    """Compress and decompress by WebP."""
    return webp(x, [step.integer("quality", 1, 100)])


@register_step("unsharp", ("weight", "radius", "threshold"))
def unsharp(x: Tensor, step: StepRecord) -> Tensor:
    """Sharpen, only where the difference exceeds a threshold in grey levels."""
    return unsharp_mask(
        x,
        step.number("weight", 0, 10, 0.5),
        step.integer("radius", 1, 2 * _LARGEST_KERNEL, 50),
        step.number("threshold", 0, 255, 10.0),
    )


@register_step("clip")
def clip(x: Tensor, step: StepRecord) -> Tensor:
    """Cut values to [0, 1]."""
    return x.clamp(0, 1)


@register_step("quantise")
def quantise(x: Tensor, step: StepRecord) -> Tensor:
    """Round to 8-bit levels, half to even as NumPy and torch do, and cut to [0, 1]."""
    return x.mul(255).round_().clamp_(0, 255).div_(255)


def _noise_strength(step: StepRecord) -> tuple[float, str, Tensor | None]:
    kind = step.choice("kind", NOISE_KINDS)
    if kind == "correlated":
        return 0.0, kind, torch.from_numpy(step.covariance())[None]
    return step.number("sigma", 0, 255) / 255, kind, None


def _clip(fresh: Tensor, step: StepRecord) -> Tensor:
    # What noise returns is nobody else's, and large images are the quicker for less memory.
    return fresh.clamp_(0, 1) if step.flag("clip", True) else fresh


def _check_kernel_size(record: Mapping[str, Any], step: StepRecord) -> None:
    size = record.get("size")
    if isinstance(size, int) and size > _LARGEST_KERNEL:
        raise step.refuse(f"a kernel of {size!r:.20} pixels is larger than {_LARGEST_KERNEL}")
