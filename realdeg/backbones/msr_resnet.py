"""MSRResNet: SRResNet without batch normalisation, on top of a bilinear image."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import MMAGIC, Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import ResidualBlock, upsampling_steps
from realdeg.backbones.parts.edsr import draw_small
from realdeg.backbones.readings import count, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_MMAGIC = Dialect(
    "mmagic",
    marks=(r"upsample1\.upsample_conv\.weight",),
    rename=(
        (r"^trunk_net\.", "body."),
        (r"^upsample([12])\.upsample_conv\.", r"upconv\1."),
    ),
    implies={"leaky_steps": False},
)


@BACKBONES.register_module()
class MSRResNet(Backbone):
    """Modified SRResNet, the generator that BasicSR and mmagic train.

    Residual blocks without batch normalisation, leaky ReLUs, and the bilinear image added at the
    end. It has 1,369,859 parameters at x2, 1,554,499 at x3 and 1,517,571 at x4, the number
    that is often quoted for SRResNet (EDSR's baseline happens to have as many).

    Args:
        scale: 2, 3 or 4.
        num_features: Channels.
        num_blocks: Residual blocks.
        leaky_steps: A leaky ReLU follows each pixel shuffle, as in BasicSR but not in mmagic.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Wang et al., ESRGAN, ECCVW 2018, as its baseline, after Ledig et al., CVPR 2017. Keys
        follow BasicSR; those of mmagic are translated. There, x2 and x3 are trained from x4.
    """

    scales: tuple[int, ...] | None = (2, 3, 4)

    dialects = (MMAGIC, _MMAGIC)
    form_readings = {
        "scale": shuffled(r"upconv[12]\.weight", size("conv_first.weight")),
        "num_features": size("conv_first.weight"),
        "num_blocks": count(r"body\.(\d+)\.conv1\.weight"),
    }
    example_arguments = {"scale": 2, "num_features": 6, "num_blocks": 2}

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 16,
        leaky_steps: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        steps = upsampling_steps(scale)
        self.step, self.leaky_steps = steps[0], leaky_steps
        grown = self.step**2 * num_features
        self.conv_first = nn.Conv2d(3, num_features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(num_features) for _ in range(num_blocks)))
        self.upconv1 = nn.Conv2d(num_features, grown, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_features, grown, 3, padding=1) if len(steps) > 1 else None
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, 3, 3, padding=1)
        draw_small(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        features = self.body(_leaky(self.conv_first(lr)))
        for conv in (self.upconv1, self.upconv2):
            if conv is not None:
                features = F.pixel_shuffle(conv(features), self.step)
                features = _leaky(features) if self.leaky_steps else features
        image = self.conv_last(_leaky(self.conv_hr(features)))
        size = image.shape[-2:]
        return image + F.interpolate(lr, size=size, mode="bilinear", align_corners=False)


def _leaky(features: Tensor) -> Tensor:
    return F.leaky_relu(features, 0.1, inplace=True)
