"""The patch discriminator of PDM, which judges small neighbourhoods."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count


@DISCRIMINATORS.register_module()
class PDMDiscriminator(Discriminator):
    """3 x 3 convolutions with instance normalisation; by default a logit sees 11 pixels.

    Leaky ReLU 0.2 follows every convolution but the last, a normalisation layer without parameters
    all but the first and the last. The authors' last layer puts out as many channels as the first;
    each is a logit of its own, whose losses are averaged. 1,845,952 parameters.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer; they double from layer to layer, up to 8 * ``width``.
        layers: Convolutions between the first and the last.
        stride: Stride of these but the last of them: 1 (joint training) or 2.
        heads: Logits per position; None: ``width``, the authors'.

    Shape:
        (B, C, H, W) to (B, 1, heads * h, w): the logits of each head below those of the one before.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Luo et al., Learning the Degradation Distribution for Blind Image Super-Resolution, CVPR
        2022 (greatlog/UnpairedSR at 771312e, codes/config/PDM-SR/archs/discriminator.py). Keys are
        those of the authors' code.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        width: Count = 64,
        layers: Count = 3,
        stride: Literal[1, 2] = 1,
        heads: Count | None = None,
    ) -> None:
        super().__init__(in_channels)
        self.strides = (1, *[stride] * (layers - 1), 1, 1)
        sizes = [in_channels, *(width * min(2**i, 8) for i in range(layers + 1)), heads or width]
        found: list[nn.Module] = []
        last = len(self.strides) - 1
        for index, step in enumerate(self.strides):
            found.append(nn.Conv2d(sizes[index], sizes[index + 1], 3, step, padding=1))
            if 0 < index < last:
                found.append(nn.InstanceNorm2d(sizes[index + 1]))
            if index < last:
                found.append(nn.LeakyReLU(0.2, inplace=True))
        self.model = nn.Sequential(*found)

    @property
    def least_size(self) -> int:
        """The size at which every normalisation has two values at least."""
        pixels = 2
        for step in self.strides:
            pixels = (pixels - 1) * step + 1
        return pixels

    def judge(self, images: Tensor) -> Tensor:
        """Return the logits of all heads, one below the other."""
        logits: Tensor = self.model(images)
        return logits.flatten(1, 2)[:, None]
