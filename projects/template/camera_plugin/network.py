"""A plain network for phones."""

from __future__ import annotations

from torch import Tensor, nn

from realdeg.backbones import Backbone
from realdeg.backbones.base import Colour
from realdeg.registry import BACKBONES


@BACKBONES.register_module()
class AnchorNet(Backbone):
    """Convolutions that learn what is missing from the enlarged image.

    Every LR pixel, repeated ``scale**2`` times, is the anchor that the convolutions add to; the sum
    is shuffled into place. So an untrained network already gives a picture, by nearest neighbours.

    Args:
        scale: How much resolution is gained.
        same_size: Not available: LR is smaller than HR.
        colour: ``"rgb"`` or ``"y"``; None: RGB.
        width: Channels of the hidden layers.
        depth: How many hidden layers.

    Shape:
        (B, C, h, w) to (B, C, scale * h, scale * w).

    Source:
        After Du, Liu, Tang, Wu, Anchor-based Plain Net for Mobile Image Super-Resolution, CVPR
        Workshops 2021.
    """

    scales = (2, 3, 4)
    example_arguments = {"scale": 2, "width": 8, "depth": 2}

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        colour: Colour | None = None,
        width: int = 28,
        depth: int = 4,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        layers: list[nn.Module] = [nn.Conv2d(self.channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        layers.append(nn.Conv2d(width, self.channels * scale**2, 3, padding=1))
        self.layers = nn.Sequential(*layers)
        self.shuffle = nn.PixelShuffle(scale)
        # Each convolution sees one pixel further.
        self.halo = depth + 2

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve images in [0, 1]."""
        anchor = lr.repeat_interleave(self.scale**2, dim=1)
        sr: Tensor = self.shuffle(anchor + self.layers(lr))
        return sr
