"""What a user tells a network of an image's degradation, as the code that it takes."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.errors import ConfigError, as_given

_WIDEST = 10.0
_USUAL_SIDE = 15


def told_degradation(
    backbone: Backbone, kernel_width: float | None = None, noise: float | None = None
) -> Tensor | None:
    """Return ``cond`` for a network that is told the degradation.

    Args:
        backbone: The network.
        kernel_width: Standard deviation of a Gaussian blur in HR pixels, 0 (no blur) to 10; None:
            what the network expects when it is told nothing.
        noise: Standard deviation of the noise in grey levels of 0 to 255; None: none.

    Returns:
        Shape (1, K); None if nothing is stated.

    Raises:
        ConfigError: If the network is not told such a thing, or a number is out of range.
        CheckpointError: If the network's weights cannot encode kernels.
    """
    stated = {"kernel_width": kernel_width, "noise": noise}
    stated = {name: value for name, value in stated.items() if value is not None}
    if not stated:
        return None
    name = type(backbone).__name__
    if type(backbone).condition_of is Backbone.condition_of:
        raise ConfigError(
            f"{name} is not told the degradation of an image: leave out {as_given(**stated)}"
            " (SRMD is told blur and noise)."
        )
    for limit, (key, value) in zip(
        (_WIDEST, 255.0), (("kernel_width", kernel_width), ("noise", noise)), strict=True
    ):
        if value is not None and not (math.isfinite(value) and 0 <= value <= limit):
            raise ConfigError(f"{as_given(**{key: value})}: it lies between 0 and {limit:g}.")
    if noise and not getattr(backbone, "noise", True):
        raise ConfigError(
            f"these {name} weights are of noise-free LR and are not told noise: leave out"
            f" {as_given(noise=noise)}, or use weights of noisy LR."
        )
    conditions: dict[str, Any] = {"noise_level": (noise or 0.0) / 255}
    if kernel_width:
        side = int(getattr(backbone, "kernel_size", _USUAL_SIDE))
        conditions["kernel"] = gaussian_kernel(side, kernel_width)
    code = backbone.condition_of(conditions)
    return None if code is None else code[None]
