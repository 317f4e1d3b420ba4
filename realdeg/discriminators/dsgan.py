"""The patch discriminator of DSGAN, which sees only texture."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from realdeg.degradations.primitives.pass_filters import FILTERS, high_pass
from realdeg.discriminators.base import Channels, Discriminator
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Choice, Count, OddSize


@DISCRIMINATORS.register_module()
class DSGANDiscriminator(Discriminator):
    """A high-pass filter and four convolutions of stride 1: a logit for every pixel.

    The generator's colour loss preserves coarse content, so only fine texture is evaluated. The
    layers: 5 x 5 to ``width`` channels and leaky ReLU 0.2; 5 x 5 to twice and four times as many
    with batch normalisation; 1 x 1 to the logit.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer.
        filter: ``"average"`` (the paper's), ``"gaussian"`` (the code's option), ``"wavelet"``
            (that of DASR, Wei et al., CVPR 2021) or ``"none"``.
        filter_size: Side of the filter's window in pixels, odd.

    Shape:
        (B, C, H, W) to (B, 1, H, W); half of both sides for the wavelet.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Fritsche, Gu, Timofte, Frequency Separation for Real-World Super-Resolution, ICCVW 2019
        (ManuelFritsche/real-world-sr). There a sigmoid follows, which here is part of the loss.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        width: Count = 64,
        filter: Annotated[str, Choice(*FILTERS, "none")] = "average",
        filter_size: OddSize = 5,
    ) -> None:
        super().__init__(in_channels)
        self.filter, self.filter_size = filter, filter_size
        entering = 3 * in_channels if filter == "wavelet" else in_channels
        self.layers = nn.Sequential(
            nn.Conv2d(entering, width, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 5, padding=2),
            nn.BatchNorm2d(4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 1),
        )

    @property
    def least_size(self) -> int:
        """2 for the wavelet, which halves the image, else 1."""
        return 2 if self.filter == "wavelet" else 1

    def judge(self, images: Tensor) -> Tensor:
        """Filter, then return one logit per pixel."""
        if self.filter != "none":
            images = high_pass(images, self.filter_size, self.filter)
        return self.layers(images)
