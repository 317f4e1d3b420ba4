"""PatchGAN: one logit for each overlapping patch."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.discriminators.spectral import spectral_norm
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count

Norm = Literal["batch", "instance", "spectral", "none"]


@DISCRIMINATORS.register_module()
class PatchGANDiscriminator(Discriminator):
    """4 x 4 convolutions, the first of which halve the image; by default a logit sees 70 pixels.

    Leaky ReLU 0.2 follows every convolution but the last, a normalisation layer all but the first
    and the last. 2,765,633 parameters with batch normalisation.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer; they double from layer to layer, up to 8 * ``width``.
        halvings: Number of convolutions that halve the image; two more do not.
        norm: ``"batch"``, ``"instance"`` (without parameters), ``"spectral"`` or ``"none"``.
        padding: Pixels at each side: 1 as in pix2pix, 2 as in KAIR.

    Shape:
        (B, C, H, W) to (B, 1, h, w); with 3 halvings and padding 1, h = H // 8 - 2.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Isola, Zhu, Zhou, Efros, Image-to-Image Translation with Conditional Adversarial Networks,
        CVPR 2017. Keys follow junyanz/pytorch-CycleGAN-and-pix2pix, or KAIR with spectral
        normalisation. pix2pix's own weights were trained on images in [-1, 1].
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        width: Count = 64,
        halvings: Count = 3,
        norm: Norm = "batch",
        padding: Literal[1, 2] = 1,
    ) -> None:
        super().__init__(in_channels)
        self.norm, self.padding = norm, padding
        self.strides = (*[2] * halvings, 1, 1)
        sizes = [in_channels, *(width * min(2**i, 8) for i in range(halvings + 1)), 1]
        layers: list[nn.Module] = []
        last = len(self.strides) - 1
        for index, stride in enumerate(self.strides):
            inner = 0 < index < last
            bias = not inner or norm != "batch"
            conv = nn.Conv2d(sizes[index], sizes[index + 1], 4, stride, padding, bias=bias)
            layers.append(spectral_norm(conv) if norm == "spectral" else conv)
            if inner and norm == "batch":
                layers.append(nn.BatchNorm2d(sizes[index + 1]))
            elif inner and norm == "instance":
                layers.append(nn.InstanceNorm2d(sizes[index + 1]))
            if index < last:
                layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.model = nn.Sequential(*layers)

    @property
    def least_size(self) -> int:
        """The size that gives one logit; larger with instance normalisation, which needs two."""
        pixels = 1
        for index, stride in reversed(list(enumerate(self.strides))):
            pixels = max((pixels - 1) * stride + 4 - 2 * self.padding, 1)
            if self.norm == "instance" and index > 1:
                pixels = max(pixels, 2)
        return pixels

    def judge(self, images: Tensor) -> Tensor:
        """Return one logit per patch."""
        return self.model(images)
