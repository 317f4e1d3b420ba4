"""DNSR: a denoiser and a super-resolution network that sees both the noisy and the clean image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler
from realdeg.backbones.readings import count, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

RESIDUAL_SCALE = 0.1


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, with batch normalisation if asked; times 0.1, input added."""

    def __init__(self, features: int, normalise: bool) -> None:
        super().__init__()
        norm = [nn.BatchNorm2d(features) for _ in range(2 if normalise else 0)]
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            *norm[:1],
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1),
            *norm[1:],
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return torch.add(features, self.body(features), alpha=RESIDUAL_SCALE)


def _trunk(features: int, num_blocks: int, normalise: bool) -> nn.Sequential:
    return nn.Sequential(
        *(ResidualBlock(features, normalise) for _ in range(num_blocks)),
        nn.Conv2d(features, features, 3, padding=1),
    )


@BACKBONES.register_module()
class DNSR(Backbone):
    """Denoising and super-resolution network of the Duke team's realistic tracks.

    An EDSR-like trunk with batch normalisation denoises at LR size. A second one without it sees
    the result and the input, and enlarges. 81,498,886 parameters at x4.

    Args:
        scale: 2, 3, 4 or 8.
        num_features: Channels.
        num_blocks: Residual blocks of each trunk.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Bei, Damian, Hu, Menon, Ravi, Rudin, New Techniques for Preserving Global Structure and
        Denoising With Low Information Loss in Single-Image Super-Resolution, CVPRW 2018. Keys
        follow nikhilvravi/DukeSR (its DNEDSR).
    """

    colour = "rgb"
    value_range = 255.0
    scales = (2, 3, 4, 8)
    upsample = "post"

    form_readings = {
        "scale": shuffled(r"tail2\.0\.\d+\.weight", size("head1.0.weight")),
        "num_features": size("head1.0.weight"),
        "num_blocks": count(r"body1\.(\d+)\.body\.0\.weight"),
    }
    example_arguments = {"scale": 2, "num_features": 6, "num_blocks": 1}

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 256,
        num_blocks: Number = 32,
    ) -> None:
        super().__init__(scale=scale)
        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, +1)
        self.head1 = nn.Sequential(nn.Conv2d(3, num_features, 3, padding=1))
        self.body1 = _trunk(num_features, num_blocks, normalise=True)
        self.tail1 = nn.Sequential(nn.Conv2d(num_features, 3, 3, padding=1))
        self.head2 = nn.Sequential(nn.Conv2d(6, num_features, 3, padding=1))
        self.body2 = _trunk(num_features, num_blocks, normalise=False)
        self.tail2 = nn.Sequential(
            Upsampler(scale, num_features), nn.Conv2d(num_features, 3, 3, padding=1)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        image = self.sub_mean(lr)
        features = self.head1(image)
        clean = self.tail1(self.body1(features) + features)
        # The clean image comes first, as in the authors' code.
        features = self.head2(torch.cat([clean, image.to(clean.dtype)], 1))
        return self.add_mean(self.tail2(self.body2(features) + features))
