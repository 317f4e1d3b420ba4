"""The discriminator of SRGAN."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from realdeg.discriminators.base import Channels
from realdeg.discriminators.fixed_size import FixedSizeDiscriminator
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count

HIDDEN = 1024


@DISCRIMINATORS.register_module()
class SRGANDiscriminator(FixedSizeDiscriminator):
    """Eight 3 x 3 convolutions, every second of which halves the image, and two dense layers.

    Channels double from ``width`` to eight times as many. Leaky ReLU 0.2 follows every layer but
    the last, batch normalisation every convolution but the first. 23,563,649 parameters at 96
    pixels; 23,565,505 with ``bias``; 23,563,713 in EDSR's form.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer.
        size: Height and width of the images in pixels, a multiple of 16.
        bias: Whether convolutions before a normalisation have biases; not stated in the paper.
        form: ``"srgan"``, or ``"edsr"``, which also normalises after the first convolution.

    Shape:
        (B, C, size, size) to (B, 1).

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network, CVPR 2017. Keys follow Lornatang/SRGAN-PyTorch or, in the other form,
        EDSR-PyTorch. The paper's sigmoid is part of the loss.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        width: Count = 64,
        size: Count = 96,
        bias: bool = False,
        form: Literal["srgan", "edsr"] = "srgan",
    ) -> None:
        super().__init__(in_channels, width, size, divisor=16)
        nested = form == "edsr"
        layers: list[nn.Module] = []
        channels = in_channels
        for index in range(8):
            wider = width * 2 ** (index // 2)
            first = index == 0 and not nested
            layer: list[nn.Module] = [
                nn.Conv2d(channels, wider, 3, stride=1 + index % 2, padding=1, bias=bias or first),
                *([] if first else [nn.BatchNorm2d(wider)]),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            layers += [nn.Sequential(*layer)] if nested else layer
            channels = wider
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(channels * (size // 16) ** 2, HIDDEN),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(HIDDEN, 1),
        )

    def judge(self, images: Tensor) -> Tensor:
        """Return one logit per image."""
        return self.classifier(self.features(images).flatten(1))
