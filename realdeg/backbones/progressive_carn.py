"""Progressive CARN: a network that grows from x2 to x4 to x8."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.cascade import Cascade, ReLUUpsampler, Residual, fusion, shifter
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.keys import store_as
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

# What a grown network keeps.
KEPT = ("sub_mean.", "entry.", "groups.", "add_mean.")


@BACKBONES.register_module()
class ProgressiveCARN(Backbone):
    """Cascading residual network trained by a curriculum of scales.

    Stage 1 is CARN for x2. For the next scale (:meth:`grow`), three more cascading blocks are
    appended, the reconstruction (upsampler and last convolution) is replaced by one of twice the
    factor, and everything is trained again with a restarted learning rate schedule. Features keep
    the LR image's size. Parameters at x2: 964,163, x4: 1,924,803, x8: 2,885,443, without the 24 of
    the mean shift.

    The paper adds blocks and replaces the reconstruction. The number of blocks per stage, and that
    none are frozen, are our reading: the paper's code is not public.

    Args:
        scale: 2, 4 or 8, the stage.
        features: Channels.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Ahn, Kang, Sohn, Image Super-Resolution via Progressive Cascading Residual Network, CVPRW
        2018. Names inside the blocks are CARN's; there are no public weights.
    """

    scales: tuple[int, ...] | None = (2, 4, 8)
    example_arguments = {"scale": 2, "features": 8}

    def __init__(self, scale: Scale = 4, features: Number = 64) -> None:
        super().__init__(scale=scale)
        stages = scale.bit_length() - 1
        fuse = partial(fusion, features)
        block = partial(Cascade, partial(Residual, features), fuse)
        self.sub_mean, self.add_mean = shifter(-1), shifter(+1)
        self.entry = nn.Conv2d(3, features, 3, padding=1)
        self.groups = nn.Sequential(*(Cascade(block, fuse) for _ in range(stages)))
        self.head = ReLUUpsampler(scale, features)
        store_as(self, "head", "upsample")
        self.exit = nn.Conv2d(features, 3, 3, padding=1)

    @property
    def new_prefixes(self) -> tuple[str, ...]:
        """What the previous stage's weights lack, for ``load_weights(..., ignore=...)``."""
        return ("upsample.", "exit.", f"groups.{len(self.groups) - 1}.")

    def grow(self) -> ProgressiveCARN:
        """Return the next stage, of twice the scale.

        Entry and cascades are copies of this network's; the appended cascade and the
        reconstruction are newly initialised.

        Raises:
            GeometryError: If this is the last stage.
        """
        if self.scale == 8:
            raise GeometryError("ProgressiveCARN of scale 8 cannot grow: it is the last stage.")
        grown = type(self)(**{**self.arguments, "scale": 2 * self.scale})
        kept = {k: v for k, v in self.state_dict().items() if k.startswith(KEPT)}
        grown.load_state_dict(grown.state_dict() | kept)
        return grown.to(self.entry.weight).train(self.training)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        features = self.groups(self.entry(self.sub_mean(lr)))
        return self.add_mean(self.exit(self.head(features)))
