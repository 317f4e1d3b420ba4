"""Meta-SR: one network for every scale, whole or not."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.backbones.meta_trunks import edsr_layers, rdn_layers
from realdeg.backbones.meta_upscale import MetaUpscale
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, RealScale

TRUNKS: dict[str, int] = {"rdn": 16, "edsr": 16}
"""Blocks of the papers' forms: RDN's configuration B, EDSR's baseline."""


@BACKBONES.register_module()
class MetaSR(Backbone):
    """Upscales by any real number from 1 up, with weights that are predicted from the scale.

    ``scale`` is what a call without one of its own takes; weights learned at one scale, or at
    many, serve every other. The published training draws one scale from 1.1, 1.2, ... 4.0 for
    each batch. An image of h x w becomes int(scale * h) x int(scale * w).

    With RDN it has 22,419,096 parameters and with EDSR 1,665,560, the 24 numbers of the mean
    colour (buffers) included.

    Args:
        scale: Any number from 1 up.
        trunk: ``"rdn"`` (the paper's main model, configuration B) or ``"edsr"`` (its baseline).
        num_features: Channels.
        num_blocks: Blocks of the trunk; None: 16.
        num_convs: Convolutions in each of RDN's blocks; EDSR has no such number.
        growth: Channels that each of them adds.
        hidden: Units between the two layers that predict weights.

    Shape:
        (B, 3, h, w) -> (B, 3, int(scale * h), int(scale * w))

    Raises:
        ConfigError: If the trunk is unknown or a number is too small.
        GeometryError: If the scale is below 1.

    Source:
        Hu, Mu, Zhang, Wang, Sun, Tan, Meta-SR: A Magnification-Arbitrary Network for
        Super-Resolution, CVPR 2019. Keys follow XuecaiHu/Meta-SR-Pytorch.
    """

    value_range = 255.0
    any_scale = True

    def __init__(
        self,
        scale: RealScale = 4,
        trunk: Annotated[str, Choice(*TRUNKS)] = "rdn",
        num_features: Number = 64,
        num_blocks: Number | None = None,
        num_convs: Number = 8,
        growth: Number = 64,
        hidden: Number = 256,
    ) -> None:
        super().__init__(scale=scale)
        blocks = TRUNKS[trunk] if num_blocks is None else num_blocks
        self.trunk = trunk
        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, 1)
        if trunk == "rdn":
            layers = rdn_layers(num_features, blocks, num_convs, growth)
        else:
            layers = edsr_layers(num_features, blocks)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.P2W = MetaUpscale(num_features, hidden)

    @classmethod
    def example(cls) -> MetaSR:
        """Return an RDN of 2 blocks of 2 convolutions, 6 wide."""
        return cls(scale=2, num_features=6, num_blocks=2, num_convs=2, growth=4, hidden=10)

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255] by any scale."""
        features = self._features(self.sub_mean(lr))
        return self.add_mean(self.P2W(features, self.scale if scale is None else scale))

    def _features(self, image: Tensor) -> Tensor:
        layers = self._modules
        if self.trunk == "edsr":
            head = self.head(image)  # type: ignore[operator]
            return self.body(head).add(head)  # type: ignore[operator]
        shallow = self.SFENet1(image)  # type: ignore[operator]
        features, found = self.SFENet2(shallow), []  # type: ignore[operator]
        for block in layers["RDBs"]:  # type: ignore[union-attr]
            features = block(features)
            found.append(features)
        return self.GFF(torch.cat(found, 1)).add(shallow)  # type: ignore[operator]
