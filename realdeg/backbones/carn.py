"""CARN: residual blocks in cascades, one network for three scales."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.cascade import (
    Cascade,
    Residual,
    ScaleHeads,
    cascade,
    fusion,
    shifter,
)
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.keys import store_as
from realdeg.backbones.readings import State, has, ratio, shuffled, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

# Other collections keep the mean shift without "shifter".
PLAIN_MEAN = Dialect(
    "a collection",
    marks=(r"(sub|add)_mean\.\w+",),
    rename=((r"^(sub|add)_mean\.(?=\w+$)", r"\1_mean.shifter."),),
)
THREE_SCALES = Dialect(
    "a network of three scales",
    marks=(r"upsample\.up\d\..*",),
    parts=r"upsample\.up\d\.",
)


def one_scale(state: State) -> int | None:
    """Read the scale of a network that has one upsampler."""
    if not has(r"upsample\.up\.body\.0\.weight", given="entry.weight")(state):
        return None
    return shuffled(r"upsample\.up\.body\.\d+\.weight", size("entry.weight"))(state)


@BACKBONES.register_module()
class CARN(Backbone):
    """Cascading residual network.

    Three cascading blocks of three residual blocks, each level fused by 1x1 convolutions. The
    paper trains one network with an upsampler for each of the scales 2, 3 and 4 (1,591,939
    parameters, 1,591,963 with the mean-shift tensors); a call's ``scale`` selects one, by default
    that of ``self.scale``. With ``multi_scale=False`` it has 964,163, 1,148,803 or 1,111,875
    parameters (x2, x3, x4).

    Args:
        scale: 2, 3 or 4; with ``multi_scale`` the default of calls.
        features: Channels.
        groups: Groups of the 3x3 convolutions in blocks and upsamplers.
        mobile: The economical form: residual blocks end in a 1x1 convolution, and the three of a
            cascading block share their weights.
        multi_scale: One network with upsamplers for 2, 3 and 4.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``features`` is not a multiple of ``groups``.

    Source:
        Ahn, Kang, Sohn, Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual
        Network, ECCV 2018. Keys follow nmhkahn/CARN-pytorch.
    """

    colour: Colour = "rgb"
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    dialects: ClassVar[tuple[Dialect, ...]] = (
        Dialect("PCARN", marks=(r"b1\.b1\.conv1\.weight",), refused="of a PCARN: build that."),
        PLAIN_MEAN,
        THREE_SCALES,
    )
    form_readings = {
        "scale": one_scale,
        "multi_scale": has(r"upsample\.up\d\..*", given="entry.weight"),
        "features": size("entry.weight"),
        "groups": ratio("b1.b1.body.0.weight", 0, 1),
        "mobile": has("b1.b1.body.4.weight", given="b1.b1.body.0.weight"),
    }
    form_subset = ("multi_scale",)
    example_arguments = {"scale": 2, "features": 8, "multi_scale": False}

    def __init__(
        self,
        scale: Scale = 4,
        features: Number = 64,
        groups: Number = 1,
        mobile: bool = False,
        multi_scale: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        if features % groups:
            raise ConfigError(
                f"{type(self).__name__} needs features that are a multiple of groups, got"
                f" features={features} and groups={groups}."
            )
        self.features, self.groups, self.mobile = features, groups, mobile
        self.multi_scale = multi_scale
        self.served = (2, 3, 4) if multi_scale else (scale,)

        # Torch's default initialisation is the authors': uniform in +-1 / sqrt(fan-in).
        self.sub_mean, self.add_mean = shifter(-1), shifter(+1)
        self.entry = nn.Conv2d(3, features, 3, padding=1)
        self.b1, self.b2, self.b3 = (
            Cascade(self._residual, self._fusion, shared=mobile) for _ in range(3)
        )
        self.c1, self.c2, self.c3 = (self._fusion(inputs) for inputs in (2, 3, 4))
        heads = {f"up{factor}": factor for factor in self.served} if multi_scale else {"up": scale}
        self.heads = ScaleHeads(heads, features, groups)
        store_as(self, "heads", "upsample")
        self.exit = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        features = self.trunk(self.entry(self.sub_mean(lr)))
        head = f"up{int(self.scale if scale is None else scale)}" if self.multi_scale else "up"
        return self.add_mean(self.exit(self.heads(features, head)))

    def parts_of(self) -> dict[str, str]:
        """Return the upsampler that a network of one scale loads from a file of three."""
        return {} if self.multi_scale else {f"upsample.up{self.scale}.": "upsample.up."}

    def trunk(self, entry: Tensor) -> Tensor:
        """Run the cascades on the entry's features (B, C, h, w)."""
        return cascade(entry, (self.b1, self.b2, self.b3), (self.c1, self.c2, self.c3))

    def _residual(self) -> nn.Module:
        return Residual(self.features, self.groups, self.mobile)

    def _fusion(self, inputs: int) -> nn.Module:
        return fusion(self.features, inputs)
