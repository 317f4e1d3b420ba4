"""RDN: residual dense blocks whose outputs are all kept."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import MMAGIC, Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import upsampling_steps
from realdeg.backbones.readings import count, last, presets, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

# Blocks D, convolutions C in each, channels G that each convolution adds.
PRESETS: dict[str, tuple[int, int, int]] = {"A": (20, 6, 32), "B": (16, 8, 64)}
_MMAGIC = Dialect(
    "mmagic and yjn870",
    marks=(r"sfe1\.weight",),
    counts={"last": last(r"upscale\.(\d+)\.weight", 2)},
    rename=(
        (r"^sfe([12])\.", r"SFENet\1."),
        (r"^rdbs\.(\d+)\.layers\.(\d+)\.conv\.", r"RDBs.\1.convs.\2.conv.0."),
        (r"^rdbs\.(\d+)\.lff\.", r"RDBs.\1.LFF."),
        (r"^gff\.", "GFF."),
        (r"^upscale\.", "UPNet."),
        (r"^output\.", "UPNet.{last}."),
    ),
    bias_range=1.0,
)
_growth = size(r"RDBs\.0\.convs\.0\.conv\.0\.weight")


class DenseConv(nn.Module):
    """A 3x3 convolution and ReLU whose result is appended to the input's channels."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(width, growth, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, width, h, w)."""
        return torch.cat([features, self.conv(features)], 1)


class ResidualDenseBlock(nn.Module):
    """Dense convolutions, a 1x1 convolution back to the width, and the input added."""

    def __init__(self, features: int, growth: int, num_convs: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(DenseConv(features + index * growth, growth) for index in range(num_convs))
        )
        self.LFF = nn.Conv2d(features + num_convs * growth, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, features, h, w)."""
        return self.LFF(self.convs(features)).add(features)


class RDNTrunk(Backbone):
    """What RDN and Meta-SR do before they upsample."""

    def add_trunk(self, features: int, num_blocks: int, num_convs: int, growth: int) -> None:
        """Add the layers, under their published names.

        Args:
            features: Channels (the paper's G0).
            num_blocks: Residual dense blocks (D).
            num_convs: Convolutions in each (C).
            growth: Channels that each convolution adds (G).
        """
        self.SFENet1 = nn.Conv2d(3, features, 3, padding=1)
        self.SFENet2 = nn.Conv2d(features, features, 3, padding=1)
        self.RDBs = nn.ModuleList(
            ResidualDenseBlock(features, growth, num_convs) for _ in range(num_blocks)
        )
        self.GFF = nn.Sequential(
            nn.Conv2d(num_blocks * features, features, 1),
            nn.Conv2d(features, features, 3, padding=1),
        )

    def run_trunk(self, image: Tensor) -> Tensor:
        """Return features (B, G0, h, w) of (B, 3, h, w)."""
        first = self.SFENet1(image)
        features, outputs = self.SFENet2(first), []
        for block in self.RDBs:
            features = block(features)
            outputs.append(features)
        return self.GFF(torch.cat(outputs, 1)).add(first)


@BACKBONES.register_module()
class RDN(RDNTrunk):
    """Residual dense network.

    The paper's configuration B has 22,123,395 parameters at x2, 22,308,035 at x3 and 22,271,107
    at x4. x3 and x4 are trained from x2: load its weights with ``ignore=("UPNet.",)``.

    As there are only convolutions and ReLUs, weights for [0, 1] become weights for [0, 255] when
    their biases are multiplied by 255. mmagic's are converted to this instance's range in that
    way; EDSR-PyTorch's are for [0, 255].

    Args:
        scale: 2, 3 or 4.
        preset: ``"B"`` (16 blocks of 8 convolutions of 64 channels) or ``"A"`` (20, 6, 32).
        num_blocks: Residual dense blocks; None: the preset's.
        num_convs: Convolutions in each; None: the preset's.
        growth: Channels that each convolution adds; None: the preset's.
        num_features: Channels between the blocks.
        value_range: The number that stands for white.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Zhang, Tian, Kong, Zhong, Fu, Residual Dense Network for Image Super-Resolution, CVPR
        2018. Keys follow sanghyun-son/EDSR-PyTorch; those of mmagic and yjn870 are translated.
    """

    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4)

    dialects = (MMAGIC, _MMAGIC)
    form_readings = {
        "scale": shuffled(r"UPNet\.\d+\.weight", _growth),
        "num_blocks": count(r"RDBs\.(\d+)\.LFF\.weight"),
        "num_convs": count(r"RDBs\.0\.convs\.(\d+)\.conv\.0\.weight"),
        "growth": _growth,
        "num_features": size("SFENet1.weight"),
    }
    form_presets = presets(PRESETS, num_blocks=0, num_convs=1, growth=2)
    example_arguments = {
        "scale": 2,
        "num_blocks": 2,
        "num_convs": 2,
        "growth": 4,
        "num_features": 6,
    }

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "B",
        num_blocks: Number | None = None,
        num_convs: Number | None = None,
        growth: Number | None = None,
        num_features: Number = 64,
        value_range: float = 255.0,
    ) -> None:
        super().__init__(scale=scale)
        own = PRESETS[preset]
        blocks, convs, added = (
            default if given is None else given
            for given, default in zip((num_blocks, num_convs, growth), own, strict=True)
        )
        self.value_range = value_range
        self.add_trunk(num_features, blocks, convs, added)
        layers: list[nn.Module] = []
        width = num_features
        for step in upsampling_steps(scale):
            layers += [nn.Conv2d(width, step**2 * added, 3, padding=1), nn.PixelShuffle(step)]
            width = added
        self.UPNet = nn.Sequential(*layers, nn.Conv2d(added, 3, 3, padding=1))

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, ``value_range``]."""
        return self.UPNet(self.run_trunk(lr))
