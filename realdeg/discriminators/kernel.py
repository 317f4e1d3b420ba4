"""KMSR's critic of blur kernels."""

from __future__ import annotations

from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count


@DISCRIMINATORS.register_module()
class KernelCritic(Discriminator):
    """Three convolutions that halve the kernel, each normalised by itself, and one of 3 x 3.

    A kernel of 24 to 31 pixels gets a single logit. Instance normalisation hides a kernel's scale
    after the first layer. 10,504,449 parameters for one channel.

    Args:
        in_channels: 1 for kernels.
        width: Channels of the first layer; the next two have twice and four times as many.

    Shape:
        (B, C, k, k) to (B, 1, k // 8 - 2, k // 8 - 2).

    Source:
        Zhou, Susstrunk, ICCV 2019; IVRL/Kernel-Modeling-Super-Resolution, commit 1253598
        (``kernel_generator/models/wgan_clipping.py``), whose names the keys have.
    """

    def __init__(self, in_channels: Channels = 1, width: Count = 256) -> None:
        super().__init__(in_channels)
        layers: list[nn.Module] = []
        channels: int = in_channels
        for number in range(3):
            wider = width * 2**number
            layers += [
                nn.Conv2d(channels, wider, 4, stride=2, padding=1),
                nn.InstanceNorm2d(wider, affine=True),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        self.main_module = nn.Sequential(*layers)
        self.output = nn.Sequential(nn.Conv2d(channels, 1, 3))

    @property
    def least_size(self) -> int:
        """The size of which three halvings leave 3 x 3 pixels."""
        return 24

    def judge(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.output(self.main_module(images))
