"""Progressive CARN: a network that grows from x2 to x4 to x8."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
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

    Stage 1 is CARN for x2. To get to the next scale, three more cascading blocks are appended, the
    reconstruction (upsampler and last convolution) is replaced by one of twice the factor, and
    everything is trained again with the learning rate's schedule started anew: :meth:`grow`.
    Features stay at the LR image's size. x2: 964,163 parameters, x4: 1,924,803, x8: 2,885,443,
    24 mean-shift numbers apart.

    That blocks are added and the reconstruction replaced is the paper's idea. How many blocks a
    stage adds, and that none are frozen, is our reading: the paper's code is not public.

    Args:
        scale: 2, 4 or 8: the stage.
        features: Channels.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``features`` is less than 1.

    Source:
        Ahn, Kang, Sohn, Image Super-Resolution via Progressive Cascading Residual Network, CVPRW
        2018. Names inside the blocks are CARN's; there are no public weights.
    """

    colour: Colour = "rgb"
    scales: tuple[int, ...] | None = (2, 4, 8)
    upsample = "post"

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

    @classmethod
    def example(cls) -> ProgressiveCARN:
        """Return a x2 network, 8 wide."""
        return cls(scale=2, features=8)

    @property
    def new_prefixes(self) -> tuple[str, ...]:
        """What this stage has anew: ``load_weights(..., ignore=...)`` of the stage before."""
        return ("upsample.", "exit.", f"groups.{len(self.groups) - 1}.")

    def grow(self) -> ProgressiveCARN:
        """Return the next stage, twice the scale, which keeps what was learned.

        Entry and cascades are copies of this network's; the appended cascade and the
        reconstruction start afresh.

        Raises:
            GeometryError: If this is the last stage.
        """
        if self.scale == 8:
            raise GeometryError("ProgressiveCARN ends with x8: it cannot grow further.")
        grown = type(self)(**{**self.arguments, "scale": 2 * self.scale})
        kept = {k: v for k, v in self.state_dict().items() if k.startswith(KEPT)}
        grown.load_state_dict(grown.state_dict() | kept)
        return grown.to(self.entry.weight).train(self.training)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        features = self.groups(self.entry(self.sub_mean(lr)))
        return self.add_mean(self.exit(self.head(features)))
