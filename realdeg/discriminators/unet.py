"""The U-Net discriminator of Real-ESRGAN: a logit for every pixel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.discriminators.spectral import spectral_norm
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Count


@DISCRIMINATORS.register_module()
class UNetDiscriminator(Discriminator):
    """Three halvings, three doublings with skips, under spectral normalisation.

    Leaky ReLU 0.2 follows every convolution but the last; the first and the last are not
    normalised. Features are upsampled bilinearly to the exact size of the encoder's.
    4,376,897 parameters.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer.
        skip: Whether the encoder's features are added in the decoder.

    Shape:
        (B, C, H, W) to (B, 1, H, W).

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Wang, Xie, Dong, Shan, Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
        Synthetic Data, ICCVW 2021. Keys follow its UNetDiscriminatorSN.
    """

    def __init__(self, in_channels: Channels = 3, width: Count = 64, skip: bool = True) -> None:
        super().__init__(in_channels)
        self.skip = skip
        self.conv0 = nn.Conv2d(in_channels, width, 3, padding=1)
        self.conv1 = _halving(width, 2 * width)
        self.conv2 = _halving(2 * width, 4 * width)
        self.conv3 = _halving(4 * width, 8 * width)
        self.conv4 = _smooth(8 * width, 4 * width)
        self.conv5 = _smooth(4 * width, 2 * width)
        self.conv6 = _smooth(2 * width, width)
        self.conv7 = _smooth(width, width)
        self.conv8 = _smooth(width, width)
        self.conv9 = nn.Conv2d(width, 1, 3, padding=1)

    @property
    def least_size(self) -> int:
        """The size that leaves one pixel after all halvings."""
        return 8

    def judge(self, images: Tensor) -> Tensor:
        """Return one logit per pixel."""
        levels = [_active(self.conv0(images))]
        for conv in (self.conv1, self.conv2, self.conv3):
            levels.append(_active(conv(levels[-1])))
        features = levels.pop()
        for conv in (self.conv4, self.conv5, self.conv6):
            kept = levels.pop()
            # Not by a factor of two: halving rounds odd sides down.
            size = kept.shape[2:]
            features = F.interpolate(features, size=size, mode="bilinear", align_corners=False)
            features = _active(conv(features))
            if self.skip:
                features = features + kept
        features = _active(self.conv8(_active(self.conv7(features))))
        return self.conv9(features)


def _active(features: Tensor) -> Tensor:
    return F.leaky_relu(features, 0.2, inplace=True)


def _halving(incoming: int, outgoing: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(incoming, outgoing, 4, stride=2, padding=1, bias=False))


def _smooth(incoming: int, outgoing: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(incoming, outgoing, 3, padding=1, bias=False))
