"""ESPCN: three convolutions and the first pixel shuffle."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import MOST
from realdeg.backbones.readings import State, colour_of, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


def _scale(state: State) -> int | None:
    channels = size("first_part.0.weight", 1)(state)
    return shuffled(r"last_part\.0\.weight", channels)(state) if channels else None


@BACKBONES.register_module()
class ESPCN(Backbone):
    """Efficient sub-pixel convolutional network.

    5x5, 3x3 and 3x3 convolutions on the LR image with tanh between, and a pixel shuffle of the
    last one's scale^2 channels; a linear output and no residual. 21,284 parameters at x2, 22,729
    at x3, 24,752 at x4.

    Args:
        scale: 2, 3 or 4.
        features: Channels of the first layer, even; the second has half as many.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w)

    Source:
        Shi, Caballero, Huszar, Totz, Aitken, Bishop, Rueckert, Wang, Real-Time Single Image and
        Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016.
        Keys and initialisation follow yjn870/ESPCN-pytorch.
    """

    colour: Colour = "y"
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    form_readings = {
        "scale": _scale,
        "features": size("first_part.0.weight"),
        "colour": colour_of("first_part.0.weight", 1),
    }
    example_arguments = {"scale": 2, "features": 6}

    def __init__(
        self,
        scale: Scale = 4,
        features: Annotated[int, Interval(ge=2, le=MOST), MultipleOf(2)] = 64,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, colour=colour)
        self.first_part = nn.Sequential(
            nn.Conv2d(self.channels, features, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(features, features // 2, 3, padding=1),
            nn.Tanh(),
        )
        self.last_part = nn.Sequential(
            nn.Conv2d(features // 2, self.channels * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )
        self._initialise()

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        return self.last_part(self.first_part(lr))

    def _initialise(self) -> None:
        """Initialise hidden layers after He et al. (fan-out), the last one small, biases zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.weight[0, 0].numel()
                last = module is self.last_part[0]
                nn.init.normal_(module.weight, std=0.001 if last else math.sqrt(2 / fan_out))
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
