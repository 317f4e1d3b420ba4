"""The discriminators of CinCGAN: one for LR images, one for HR images."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Choice, Count

STRIDES = {"lr": (1, 1, 1, 1, 1), "lr_x2": (2, 1, 1, 1, 1), "hr": (2, 2, 2, 1, 1)}


@DISCRIMINATORS.register_module()
class CinCGANDiscriminator(Discriminator):
    """Five 4 x 4 convolutions without padding or biases; the mean over all patches is the logit.

    Batch normalisation follows the middle three, leaky ReLU 0.2 all but the last.
    2,765,568 parameters.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer; they double from layer to layer.
        form: The input: ``"lr"`` (no layer halves the image), ``"lr_x2"`` (the first does, as in
            the re-implementation at scale 2) or ``"hr"`` (the first three do).
        last_activation: Whether leaky ReLU 0.2 also follows the last layer, as in the
            re-implementation.

    Shape:
        (B, C, H, W) to (B, 1).

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Yuan, Liu, Zhang, Zhang, Dong, Lin, Unsupervised Image Super-Resolution using
        Cycle-in-Cycle Generative Adversarial Networks, CVPRW 2018. The authors' code was not
        released; layers and keys follow sangyun884/CinCGAN-pytorch.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        width: Count = 64,
        form: Annotated[str, Choice(*STRIDES)] = "lr",
        last_activation: bool = False,
    ) -> None:
        super().__init__(in_channels)
        self.form = form
        sizes = [in_channels, width, 2 * width, 4 * width, 8 * width, 1]
        layers: list[nn.Module] = []
        for index, stride in enumerate(STRIDES[form]):
            outgoing = sizes[index + 1]
            layers.append(nn.Conv2d(sizes[index], outgoing, 4, stride, bias=False))
            if 0 < index < 4:
                layers.append(nn.BatchNorm2d(outgoing))
            if index < 4 or last_activation:
                layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers)

    @property
    def least_size(self) -> int:
        """The size of one patch: 16, 28 or 70 pixels."""
        pixels = 1
        for stride in reversed(STRIDES[self.form]):
            pixels = (pixels - 1) * stride + 4
        return pixels

    def judge(self, images: Tensor) -> Tensor:
        """Return the mean logit of each image's patches."""
        return self.layers(images).mean((2, 3))
