"""The network of the exercise."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.backbones import Backbone
from realdeg.degradations.primitives.resize import imresize
from realdeg.registry import BACKBONES


@BACKBONES.register_module()
class A2001SR(Backbone):
    """Three convolutions on the LR grid, a pixel shuffle, one convolution on the HR grid.

    What they give is added to the image enlarged by bicubic interpolation. The third convolution
    has 256 channels at any scale, so 64 remain after the shuffle at x2 and 16 at x4.

    Args:
        scale: 2 or 4.
        width: Channels of the first convolution, even; the next two have 2 and 8 times as many.

    Shape:
        (B, 3, h, w) to (B, 3, scale * h, scale * w), images in [0, 1].

    Source:
        A lecture's first exercise, after Shi et al., Real-Time Single Image and Video
        Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016.
    """

    colour = "rgb"
    scales = (2, 4)
    upsample = "post"
    halo = 5  # LR pixels that an output pixel sees: 2 + 1 + 1 of the first three, 1 of the last
    example_arguments = {"scale": 2, "width": 8}

    def __init__(
        self, scale: int = 2, width: Annotated[int, Interval(ge=2, le=256), MultipleOf(2)] = 32
    ) -> None:
        super().__init__(scale=scale)
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, width, 5, padding=2), nn.ReLU()),
            *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(2 * width, 8 * width, 3, padding=1), nn.PixelShuffle(scale)),
            nn.Conv2d(8 * width // scale**2, 3, 3, padding=1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve images in [0, 1]."""
        detail: Tensor = self.layers(lr)
        return imresize(lr, self.scale) + detail
