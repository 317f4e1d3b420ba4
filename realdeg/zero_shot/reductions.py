"""How an image is reduced when a method imitates the camera: bicubic, or by a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.borders import pad
from realdeg.degradations.primitives.kernels import centre_rest, centred, make_kernel
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError

_WITH_CENTRE = ("gaussian", "gaussian_variance")


def recorded_kernel(record: Mapping[str, Any], scale: int, place: str) -> Tensor:
    """Build a kernel from its record, centred on the LR pixels.

    Args:
        record: As for :func:`~realdeg.degradations.primitives.kernels.make_kernel`; without
            ``centre`` a Gaussian is drawn around the LR pixel.
        scale: HR pixels per LR pixel.
        place: The argument's name, for messages.

    Returns:
        (k, k), float64, sum 1.

    Raises:
        ConfigError: If a field is missing, unknown or out of range.
    """
    try:
        size = record.get("size")
        aligned = record.get("shape") in _WITH_CENTRE and "centre" not in record
        if aligned and isinstance(size, int):
            rest = centre_rest(size, scale)
            record = {**record, "centre": (rest, rest)}
        return centred(make_kernel(record), scale)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}.") from error


def reduce(image: Tensor, size: tuple[int, int], kernel: Tensor | None) -> Tensor:
    """Reduce an image.

    Args:
        image: (B, C, H, W).
        size: Height and width of the result; with a kernel, H and W are the same whole multiple of
            them.
        kernel: (k, k), correlated at every ``scale``-th pixel with the window of
            :func:`~realdeg.degradations.primitives.kernels.centre_rest`, borders mirrored; None:
            MATLAB's bicubic interpolation.

    Returns:
        (B, C, *size), not clipped.
    """
    if kernel is None:
        return imresize(image, size=size)
    stride = int(image.shape[-2]) // size[0]
    if kernel.shape[-1] < stride:  # every window must cover its LR pixel
        kernel = F.pad(kernel, (stride,) * 4)
    side = int(kernel.shape[-1])
    before = -((stride - side) // 2)
    spans = (before, side - stride - before)
    padded = pad(image, spans, spans, "symmetric")
    weight = kernel.to(image).expand(image.shape[1], 1, -1, -1)
    return F.conv2d(padded, weight, stride=stride, groups=int(image.shape[1]))
