"""RDN: residual dense blocks whose outputs are all kept."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import MMAGIC, Dialect
from realdeg.backbones.meta_trunks import rdn_layers
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


@BACKBONES.register_module()
class RDN(Backbone):
    """Residual dense network.

    The paper's configuration B has 22,123,395 parameters at x2, 22,308,035 at x3 and 22,271,107
    at x4. x3 and x4 start from x2: load its weights with ``ignore=("UPNet.",)``.

    There is no mean shift, and nothing but convolutions and ReLUs: with biases multiplied by 255,
    weights for [0, 1] are weights for [0, 255]. Those of mmagic are brought to this instance's
    range in that way; EDSR-PyTorch's are for [0, 255].

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

    Raises:
        ConfigError: If preset or sizes make no network.

    Source:
        Zhang, Tian, Kong, Zhong, Fu, Residual Dense Network for Image Super-Resolution, CVPR
        2018. Keys follow sanghyun-son/EDSR-PyTorch; those of mmagic and yjn870 are translated.
    """

    SFENet1: nn.Module
    SFENet2: nn.Module
    RDBs: nn.ModuleList
    GFF: nn.Module
    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    dialects = (MMAGIC, _MMAGIC)
    form_readings = {
        "scale": shuffled(r"UPNet\.\d+\.weight", _growth),
        "num_blocks": count(r"RDBs\.(\d+)\.LFF\.weight"),
        "num_convs": count(r"RDBs\.0\.convs\.(\d+)\.conv\.0\.weight"),
        "growth": _growth,
        "num_features": size("SFENet1.weight"),
    }
    form_presets = presets(PRESETS, num_blocks=0, num_convs=1, growth=2)

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
        for name, part in rdn_layers(num_features, blocks, convs, added).items():
            self.add_module(name, part)
        layers: list[nn.Module] = []
        width = num_features
        for step in upsampling_steps(scale):
            layers += [nn.Conv2d(width, step**2 * added, 3, padding=1), nn.PixelShuffle(step)]
            width = added
        self.UPNet = nn.Sequential(*layers, nn.Conv2d(added, 3, 3, padding=1))

    @classmethod
    def example(cls) -> RDN:
        """Return a x2 network of 2 blocks of 2 convolutions."""
        return cls(scale=2, num_blocks=2, num_convs=2, growth=4, num_features=6)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, ``value_range``]."""
        first = self.SFENet1(lr)
        features, outputs = self.SFENet2(first), []
        for block in self.RDBs:
            features = block(features)
            outputs.append(features)
        return self.UPNet(self.GFF(torch.cat(outputs, 1)).add(first))
