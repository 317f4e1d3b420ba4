"""Halos of sharpening: rims beside edges, as cameras, scanners and editors leave them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Interval, MinLen
from torch import Tensor
from torch.nn.functional import softshrink

from realdeg.degradations.base import Scale
from realdeg.degradations.bicubic import bicubic_border
from realdeg.degradations.primitives.filtering import gaussian_blur
from realdeg.degradations.reduced import ReducedDegradation, as_range
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending
from realdeg.utils.colour import in_rgb, rgb_to_grey
from realdeg.utils.streams import stream_seed

Kind = Literal["unsharp_mask", "unsharp_gray", "unsharp_halo"]
_WHITE = 254 / 255  # an added difference that counts as white
_Sigma = Interval(gt=0, le=32)
_Amount = Interval(ge=0, le=100)
_Threshold = Interval(ge=0, le=255)


@dataclass(frozen=True)
class HaloParams(TraceParams):
    """The drawn settings.

    Args:
        kind: What is added.
        sigma: Of the Gaussian, in LR pixels.
        amount: Factor of the difference.
        threshold: Difference that adds nothing yet, in levels of 0 to 255.
    """

    kind: Kind
    sigma: Annotated[float, _Sigma]
    amount: Annotated[float, _Amount]
    threshold: Annotated[float, _Threshold]


@DEGRADATIONS.register_module()
class Halo(ReducedDegradation):
    r"""Sharpens too much: adds the difference from a Gaussian blur.

    Draws: the kind, each equally likely; sigma, amount and threshold, uniformly in their ranges.
    Applies: bicubic reduction; for the difference d of the image and its blur, what the kind adds;
    and clipping.

    ================  ==================================================================
    kind              added, with a for the amount and t for the threshold
    ================  ==================================================================
    ``unsharp_mask``  a sign(d) max(\|d\| - t, 0), each channel its own: light and dark rims
    ``unsharp_gray``  a max(d - t, 0) of grey, to R, G and B alike: light rims only
    ``unsharp_halo``  1 where a d of grey is at least 254/255: white outlines, without t
    ================  ==================================================================

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        kinds: Kinds to choose from. ``unsharp_halo`` shows from amounts of about 3 on.
        sigma: (lowest, highest) standard deviation of the blur in LR pixels, up to 32; one number
            fixes it.
        amount: (lowest, highest) factor of the difference, from 0 to 100; one number fixes it.
        threshold: (lowest, highest) difference that adds nothing yet, in levels of 0 to 255; one
            number fixes it.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        wtp_dataset_destroyer (umzi2, ``src/process/halo_degr.py``, commit ec42ce6), whose grey is
        that of BT.601 too. The ranges are those of its ``configs/full.hcl``, but for sigma, which
        begins at 0 there.
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kinds: Annotated[Sequence[Kind], MinLen(1)] = ("unsharp_mask", "unsharp_gray"),
        sigma: Annotated[float | tuple[float, float], Ascending(), _Sigma] = (0.5, 3.0),
        amount: Annotated[float | tuple[float, float], Ascending(), _Amount] = (0.0, 1.0),
        threshold: Annotated[float | tuple[float, float], Ascending(), _Threshold] = (0.0, 0.5),
    ) -> None:
        super().__init__(scale, same_size)
        self.kinds = tuple(kinds)
        self.sigma, self.amount = as_range(sigma), as_range(amount)
        self.threshold = as_range(threshold)

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding, for the widest blur."""
        return bicubic_border(self.scale, self.same_size, math.ceil(4 * self.sigma[1]))

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the kind and its numbers."""
        rng = np.random.default_rng(stream_seed(seed, "halo"))
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        ranges = (self.sigma, self.amount, self.threshold)
        drawn = HaloParams(kind, *(float(rng.uniform(*limits)) for limits in ranges))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Sharpen each image."""
        drawn = [trace.read(HaloParams) for trace in traces]

        def sharpen(rgb: Tensor) -> Tensor:
            images = zip(rgb.split(1), drawn, strict=True)
            return torch.cat([with_halo(image, one) for image, one in images])

        return in_rgb(small, sharpen)


def with_halo(rgb: Tensor, drawn: HaloParams) -> Tensor:
    """Add what a kind of sharpening adds, and clip to [0, 1].

    Args:
        rgb: Shape (B, 3, H, W), in [0, 1].
        drawn: The settings.

    Returns:
        The same shape. Differentiable; outlines have the gradient of the image beneath.
    """
    light = rgb if drawn.kind == "unsharp_mask" else rgb_to_grey(rgb)
    difference = light - gaussian_blur(light, drawn.sigma, padding="symmetric")
    if drawn.kind == "unsharp_halo":
        added = (difference * drawn.amount >= _WHITE).to(rgb.dtype)
    elif drawn.kind == "unsharp_gray":
        added = (difference - drawn.threshold / 255).clamp(min=0) * drawn.amount
    else:
        added = softshrink(difference, drawn.threshold / 255) * drawn.amount
    return (rgb + added).clamp(0, 1)
