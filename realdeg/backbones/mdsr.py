"""MDSR: one trunk for three scales, with an entry and an upsampler for each."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler
from realdeg.backbones.parts.edsr import MEAN_READINGS, ResBlock
from realdeg.backbones.parts.keys import store_as
from realdeg.backbones.readings import State, count, has, presets, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

SCALES = (2, 3, 4)
PRESETS: dict[str, int] = {"baseline": 16, "full": 80}
_THREE_SCALES = Dialect(
    "a network of three scales",
    marks=(r"pre_process\.2\..*",),
    parts=r"(pre_process|upsample)\.\d\.",
)
_several = has(r"pre_process\.1\..*", given=r"pre_process\.0\..*")
_factor = shuffled(r"upsample\.0\.\d+\.weight", size("head.0.weight"))


def _scale(state: State) -> int | None:
    return None if _several(state) else _factor(state)


@BACKBONES.register_module()
class MDSR(Backbone):
    """Multi-scale deep super-resolution network.

    A call's ``scale`` chooses the entry (two blocks of 5x5 convolutions) and the upsampler; the
    rest is shared. The baseline has 3,227,203 parameters, the full network 7,953,987 (without
    the 24 of the mean shift). The paper draws one scale for each batch, so only that scale's parts
    get gradients.

    Args:
        scale: 2, 3 or 4; with ``multi_scale`` the default of calls.
        preset: ``"baseline"`` (16 blocks) or ``"full"`` (80).
        num_blocks: Residual blocks; None: the preset's.
        num_features: Channels.
        multi_scale: One network for 2, 3 and 4; otherwise for ``scale`` alone.
        mean_shift: Work on [0, 255] with the DIV2K mean subtracted, as the published weights need;
            otherwise on [0, 1].

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Lim, Son, Kim, Nah, Lee, Enhanced Deep Residual Networks for Single Image
        Super-Resolution, CVPRW 2017. Keys follow sanghyun-son/EDSR-PyTorch, whose scales share
        the last convolution; in the Torch7 original they do not.
    """

    value_range: float = 255.0
    scales: tuple[int, ...] | None = SCALES

    dialects = (_THREE_SCALES,)
    form_readings = {
        "scale": _scale,
        "multi_scale": _several,
        "num_blocks": count(r"body\.(\d+)\.body\.0\.weight"),
        "num_features": size("head.0.weight"),
    }
    meaning_readings = MEAN_READINGS
    form_presets = presets(PRESETS, num_blocks=None)
    form_subset = ("multi_scale",)
    example_arguments = {"scale": 2, "num_blocks": 2, "num_features": 6, "multi_scale": False}

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "baseline",
        num_blocks: Number | None = None,
        num_features: Number = 64,
        multi_scale: bool = True,
        mean_shift: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        blocks = PRESETS[preset] if num_blocks is None else num_blocks
        self.value_range = 255.0 if mean_shift else 1.0
        self.served = SCALES if multi_scale else (scale,)
        self.sub_mean = MeanShift(255.0, -1) if mean_shift else None
        self.add_mean = MeanShift(255.0, +1) if mean_shift else None
        self.head = nn.Sequential(nn.Conv2d(3, num_features, 3, padding=1))
        self.pre_process = nn.ModuleList(
            nn.Sequential(ResBlock(num_features, 5), ResBlock(num_features, 5)) for _ in self.served
        )
        self.body = nn.Sequential(
            *(ResBlock(num_features) for _ in range(blocks)),
            nn.Conv2d(num_features, num_features, 3, padding=1),
        )
        self.upsamplers = nn.ModuleList(Upsampler(factor, num_features) for factor in self.served)
        store_as(self, "upsamplers", "upsample")
        self.tail = nn.Sequential(nn.Conv2d(num_features, 3, 3, padding=1))

    def parts_of(self) -> dict[str, str]:
        """Return the entry and the upsampler that a network of one scale takes."""
        if len(self.served) > 1:
            return {}
        index = SCALES.index(self.scale)
        return {f"{part}.{index}.": f"{part}.0." for part in ("pre_process", "upsample")}

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, ``value_range``]."""
        index = self.served.index(int(self.scale if scale is None else scale))
        features = self.head(lr if self.sub_mean is None else self.sub_mean(lr))
        features = self.pre_process[index](features)
        features = self.body(features).add(features)
        image = self.tail(self.upsamplers[index](features))
        return image if self.add_mean is None else self.add_mean(image)
