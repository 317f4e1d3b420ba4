"""A small network that does all its work on the LR grid."""

from __future__ import annotations

from torch import Tensor, nn

from realdeg.backbones import Backbone
from realdeg.registry import BACKBONES


@BACKBONES.register_module()
class SubPixelNet(Backbone):
    """Three convolutions and a pixel shuffle.

    Args:
        scale: How much resolution is gained.
        same_size: Whether LR lies on the HR grid: its pixels are unshuffled first, so that the
            convolutions still run on the small grid.
        width: Channels of the first layer; the second has half as many.

    Shape:
        (B, 1, h, w) to (B, 1, scale * h, scale * w), or (B, 1, H, W) to itself when
        ``same_size``.

    Source:
        After Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient
        Sub-Pixel Convolutional Neural Network, CVPR 2016.
    """

    colour = "y"
    upsample = "post"
    same_size_form = "unshuffle"

    def __init__(self, scale: int = 4, same_size: bool = False, width: int = 64) -> None:
        super().__init__(scale=scale, same_size=same_size)
        unshuffled = scale if same_size else 1
        if same_size:
            self.size_multiple = scale
        self.net = nn.Sequential(
            nn.PixelUnshuffle(unshuffled),
            nn.Conv2d(unshuffled**2, width, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(width // 2, scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve Y images in [0, 1]."""
        height, width = lr.shape[-2:]
        bottom, right = -height % self.size_multiple, -width % self.size_multiple
        if bottom or right:
            lr = nn.functional.pad(lr, (0, right, 0, bottom), mode="replicate")
        sr: Tensor = self.net(lr)
        rows, columns = self.output_size(height, width)
        return sr[..., :rows, :columns]
