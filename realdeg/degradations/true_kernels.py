"""The kernels that made LR pixels, from a degradation and its traces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.containers import Container
from realdeg.degradations.trace import Trace, place_of
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import GREY_WEIGHTS

Points = Sequence[tuple[int, int]]


def kernels_of(
    degradation: Degradation, hr: Tensor, traces: Sequence[Trace], points: Points
) -> Tensor:
    """Return the kernel that made each of some LR pixels, for every image of a batch.

    They are those of ``kernels_at`` where a degradation has them (SampleCamera, DML); else that of
    the image, the ``reduction`` of its ``condition`` (Bicubic, BlurDown). Of a container it is the
    part that was applied first, if the parts behind it, such as noise, filter nothing.

    Args:
        degradation: The degradation.
        hr: HR batch, (B, C, H, W).
        traces: One trace per image.
        points: (row, column) of LR pixels, at least one.

    Returns:
        Correlation kernels, (B, P, k, k); the window of LR pixel i starts at HR pixel
        ``stride * i + floor((stride - k) / 2)``. Smaller kernels of a batch are surrounded by 0.

    Raises:
        ConfigError: If the degradation does not know its kernels.
        DataError: If there is not one trace per image.
    """
    if len(traces) != hr.shape[0]:
        raise DataError(f"{len(traces)} traces were given for a batch of {hr.shape[0]}.")
    with torch.no_grad():
        found = [
            _of_image(degradation, image[None], trace, points)
            for image, trace in zip(hr, traces, strict=True)
        ]
    side = max(int(one.shape[-1]) for one in found)
    return torch.stack([widened(one, side, degradation.stride).to(hr) for one in found])


def widened(kernels: Tensor, side: int, stride: int) -> Tensor:
    """Surround kernels (..., k, k) with 0, so that every tap stays on its HR pixel.

    Args:
        kernels: The kernels.
        side: The new side, k or more.
        stride: HR pixels per LR pixel, which places windows.
    """
    own = int(kernels.shape[-1])
    before = (stride - own) // 2 - (stride - side) // 2
    after = side - own - before
    return torch.nn.functional.pad(kernels, (before, after, before, after))


def _of_image(degradation: Degradation, hr: Tensor, trace: Trace, points: Points) -> Tensor:
    if isinstance(degradation, Container):
        steps = degradation.steps(degradation.read(trace))
        if len(steps) == len(trace.parts) > 0:
            parts = [part for _, part in steps]
            behind = zip(parts[1:], trace.parts[1:], strict=True)
            if not any(_filters(part, its_trace) for part, its_trace in behind):
                return _of_image(parts[0], hr, trace.parts[0], points)
    elif _is_field(degradation):
        if degradation.uses_place:
            kernels = degradation.channel_kernels_at(hr, points, place_of(trace))
            return (kernels * kernels.new_tensor(GREY_WEIGHTS).view(3, 1, 1)).sum(1)
        return degradation.kernels_at(hr, points)
    else:
        kernel = degradation.condition(trace).get("reduction")
        if isinstance(kernel, Tensor):
            return kernel.expand(len(points), -1, -1)
    raise ConfigError(
        f"{degradation.describe()} does not know the kernel of each LR pixel: take SampleCamera, a"
        " learned field (DML), or a BlurDown with LR on its own grid."
    )


def _is_field(degradation: Degradation) -> bool:
    return type(degradation).kernels_at is not Degradation.kernels_at


def _filters(part: Degradation, trace: Trace) -> bool:
    told = part.condition(trace)
    kernels = [told[name] for name in ("kernel", "reduction") if name in told]
    return _is_field(part) or part.stride > 1 or not all(_is_identity(one) for one in kernels)


def _is_identity(kernel: Tensor) -> bool:
    return float(kernel.abs().sum()) == 1 == float(kernel.amax())
