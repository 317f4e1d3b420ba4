"""What a degradation does at one place: the kernel and the noise of an LR pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import enlarge_bicubic, reduce_bicubic
from realdeg.degradations.containers import Container
from realdeg.degradations.pipeline import PipelineDegradation
from realdeg.degradations.steps import run_step
from realdeg.degradations.trace import Trace
from realdeg.degradations.true_kernels import kernels_of
from realdeg.errors import ConfigError
from realdeg.utils.streams import stream_seed

WIDEST = 63
"""Side of the largest kernel that is shown, in HR pixels."""
DRAWS = 4
"""How many times the noise is drawn anew, to measure it."""

# Steps of a pipeline that filter and resample; the others add noise, compress, clip or sharpen.
_FILTERS = ("blur", "shifted_kernel_down", "resize")
# Arguments that round or clip, and their values without.
_UNROUNDED = {"rounding": "none", "uint8_passes": False, "quantise": False, "clip": False}
# Weights of a kernel below this share of the largest one are not part of its window.
_FAINT = 1e-4
# A grey that neither noise nor overshoot clips.
_GREY = 0.5


def kernel_at(
    degradation: Degradation, hr: Tensor, trace: Trace, row: int, column: int
) -> np.ndarray | None:
    """Return the kernel that made an LR pixel.

    It is what the degradation states (:func:`~realdeg.degradations.true_kernels.kernels_of`); where
    it does not state one, the derivative of the LR pixel with respect to HR, through the parts and
    steps of its trace that filter.

    Args:
        degradation: The degradation.
        hr: The HR image, (1, C, H, W).
        trace: Its trace.
        row: Row of the LR pixel.
        column: Column of the LR pixel.

    Returns:
        The weights of HR pixels in the LR pixel, a correlation kernel (k, k) without noise,
        compression, sharpening and clipping; None where a filter is neither stated nor has a
        derivative.
    """
    try:
        found = kernels_of(degradation, hr, [trace], [(row, column)])
        return _trimmed(found[0, 0].double().numpy())
    except (ConfigError, NotImplementedError):
        pass
    steady = torch.full_like(hr, _GREY).requires_grad_()
    own = hr.detach().clone().requires_grad_()
    # What depends on content needs the image itself; all else is free of clipping on grey.
    image = own if _follows_content(degradation) else steady
    with torch.enable_grad():
        try:
            lr = _filtered(degradation, image, trace)
        except NotImplementedError:
            return None
        if lr is image:
            return np.ones((1, 1))
        if not lr.requires_grad:
            return None
        (slope,) = torch.autograd.grad(lr[0, :, row, column].mean(), image)
    return _around(slope[0].sum(0), degradation.stride, row, column)


def noise_of(
    degradation: Degradation, hr: Tensor, trace: Trace, *, draws: int = DRAWS
) -> tuple[Tensor, Tensor] | None:
    """Measure the noise of an LR image, by drawing the same trace with other noise.

    Everything else in the trace stays. Compression counts as noise only as far as the noise
    changes its result.

    Args:
        degradation: The degradation.
        hr: The HR image, (1, C, H, W).
        trace: Its trace.
        draws: How many other draws, 2 or more.

    Returns:
        The noise in this LR image, i.e. its difference to the mean of the other draws, and the
        standard deviation over those, both (C, h, w) in [0, 1]; None if the trace has no noise.
    """
    if not has_noise(trace):
        return None
    others = [_with_other_noise(trace, number) for number in range(draws)]
    with torch.no_grad():
        lr = degradation.replay(hr, [trace])
        made = torch.cat([degradation.replay(hr, [other]) for other in others])
    return lr[0] - made.mean(0), made.std(0)


def has_noise(trace: Trace) -> bool:
    """Return whether a trace holds the seed of a field of noise.

    Args:
        trace: A trace of any degradation.
    """
    return _holds_seed(trace.params) or any(has_noise(part) for part in trace.parts)


def _holds_seed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "noise_seed" in value or any(_holds_seed(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_holds_seed(item) for item in value)


def _with_other_noise(trace: Trace, number: int) -> Trace:
    """Return a trace with its fields of noise drawn anew."""
    return Trace(
        trace.type,
        _reseeded(trace.params, number),
        trace.size,
        tuple(_with_other_noise(part, number) for part in trace.parts),
    )


def _reseeded(value: Any, number: int) -> Any:
    if isinstance(value, Mapping):
        return {
            key: stream_seed(int(item), number, "studio") % 2**63
            if key == "noise_seed" and isinstance(item, int)
            else _reseeded(item, number)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_reseeded(item, number) for item in value]
    return value


def _follows_content(degradation: Degradation) -> bool:
    """Whether any part is a network, whose output is no fixed filter of the image."""
    return next(degradation.parameters(), None) is not None


def _filtered(degradation: Degradation, image: Tensor, trace: Trace) -> Tensor:
    """Apply what filters, and leave out noise, compression, clipping and colour.

    Raises:
        NotImplementedError: If a part filters in a way that has no derivative.
    """
    if isinstance(degradation, Container):
        steps = degradation.steps(degradation.read(trace))
        for (_, part), part_trace in zip(steps, trace.parts, strict=True):
            image = _filtered(part, image, part_trace)
        return image
    if isinstance(degradation, PipelineDegradation):
        return _filtered_by_steps(degradation, image, trace)
    if degradation.same_grid_part:
        # Alone it first reduces by bicubic interpolation.
        if degradation.scale == 1:
            return image
        return reduce_bicubic(image, degradation.scale, degradation.same_size)
    degradation = _unrounded(degradation)
    if not degradation.differentiable:
        raise NotImplementedError(type(degradation).__name__)
    return degradation.degrade(image, [trace])  # the trace was checked when it was drawn


def _unrounded(degradation: Degradation) -> Degradation:
    """Return a hand-made degradation without rounding, which has no derivative."""
    own = degradation.arguments
    off = {name: value for name, value in _UNROUNDED.items() if name in own}
    if isinstance(own.get("rounding"), bool):
        off["rounding"] = False
    return (
        degradation.rebuild({**own, **off}) if off and degradation.fitting is None else degradation
    )


def _filtered_by_steps(degradation: PipelineDegradation, image: Tensor, trace: Trace) -> Tensor:
    height, width = int(image.shape[2]), int(image.shape[3])
    largest = (4 * height + 16, 4 * width + 16)
    for step in trace.params.get("steps", ()):
        if step.get("op") in _FILTERS:
            # Clipping in place would stop the derivative.
            record = {key: item for key, item in step.items() if key != "clip"}
            image = run_step(image, record, f"the trace of {trace.type}", largest)
    if degradation.same_size and degradation.scale > 1:
        image = enlarge_bicubic(image, degradation.scale, (height, width))
    return image


def _around(slope: Tensor, stride: int, row: int, column: int) -> np.ndarray:
    """Cut the window of an LR pixel out of a derivative (H, W) and trim it."""
    side = WIDEST + (stride - WIDEST) % 2  # so that the window is centred on the LR pixel
    start = (stride - side) // 2
    padded = torch.nn.functional.pad(slope, (side,) * 4)
    top, left = (stride * place + start + side for place in (row, column))
    return _trimmed(padded[top : top + side, left : left + side].double().numpy())


def _trimmed(kernel: np.ndarray) -> np.ndarray:
    """Remove rims of zeros, the same on all sides; at least 3 taps stay where there are so many."""
    faint = np.abs(kernel) <= _FAINT * np.abs(kernel).max()
    rim = 0
    while 2 * rim + 5 <= min(kernel.shape):
        inside = faint.copy()
        inside[rim + 1 : -rim - 1, rim + 1 : -rim - 1] = True
        if not inside.all():
            break
        rim += 1
    return kernel[rim : len(kernel) - rim, rim : len(kernel) - rim]
