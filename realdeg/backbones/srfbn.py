"""SRFBN: one feedback block that sees its own earlier output, run several times."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.parts.classic import Number, Repeats, draw_he
from realdeg.backbones.parts.common import MeanShift
from realdeg.backbones.parts.pyramid import PROJECTIONS
from realdeg.backbones.readings import State, count, presets, shape_of, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

# Channels, and pairs of projections in the feedback block.
PRESETS: dict[str, tuple[int, int]] = {"srfbn": (64, 6), "srfbn_s": (32, 3)}


def _scale(state: State) -> int | None:
    shape = shape_of(state, "out.0.weight")
    kernels = {kernel: scale for scale, (kernel, _, _) in PROJECTIONS.items()}
    return kernels.get(shape[-1]) if shape else None


def _activated(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Append a PReLU of one slope to a layer."""
    return nn.Sequential(layer, nn.PReLU(init=0.2))


class FeedbackBlock(nn.Module):
    """Densely connected up- and down-projections of the input and the block's previous output.

    Source:
        SRFBN, equations 5 to 9.
    """

    def __init__(self, features: int, groups: int, scale: int) -> None:
        super().__init__()
        shape = PROJECTIONS[scale]

        def mix(count: int) -> nn.Sequential:
            return _activated(nn.Conv2d(count * features, features, 1))

        self.compress_in = mix(2)
        self.upBlocks = nn.ModuleList(
            _activated(nn.ConvTranspose2d(features, features, *shape)) for _ in range(groups)
        )
        self.downBlocks = nn.ModuleList(
            _activated(nn.Conv2d(features, features, *shape)) for _ in range(groups)
        )
        self.uptranBlocks = nn.ModuleList(mix(count) for count in range(2, groups + 1))
        self.downtranBlocks = nn.ModuleList(mix(count) for count in range(2, groups + 1))
        self.compress_out = mix(groups)

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Run on the input and the block's previous output, both (B, C, h, w)."""
        lows = [self.compress_in(torch.cat([features, hidden], 1))]
        highs: list[Tensor] = []
        for group, (up, down) in enumerate(zip(self.upBlocks, self.downBlocks, strict=True)):
            low = lows[0] if group == 0 else self.uptranBlocks[group - 1](torch.cat(lows, 1))
            highs.append(up(low))
            high = highs[0] if group == 0 else self.downtranBlocks[group - 1](torch.cat(highs, 1))
            lows.append(down(high))
        return self.compress_out(torch.cat(lows[1:], 1))


@BACKBONES.register_module()
class SRFBN(Backbone):
    """Super-resolution feedback network.

    In training every step's image is an output: the last as ``sr``, earlier ones as ``step_1``,
    ``step_2``, ... in [0, 1], so that they have equal weights. In evaluation only the last is
    computed. Parameters at x2, x3, x4, x8 (without mean shifts): 2,140,534, 2,832,758,
    3,631,478, 7,891,318; of SRFBN-S 282,442, 375,626, 483,146, 1,056,586.

    Args:
        scale: 2, 3, 4 or 8.
        preset: ``"srfbn"`` or the small ``"srfbn_s"``.
        num_features: Channels; None: the preset's.
        num_groups: Projection pairs in the feedback block; None: the preset's.
        num_steps: Runs of the block.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Li, Yang, Liu, Yang, Jeon, Wu, Feedback Network for Image Super-Resolution, CVPR 2019. Keys
        follow Paper99/SRFBN_CVPR19.
    """

    value_range = 255.0
    scales = (2, 3, 4, 8)
    upsample = "iterative"

    form_readings = {
        "scale": _scale,
        "num_features": size("out.0.weight"),
        "num_groups": count(r"block\.upBlocks\.(\d+)\.0\.weight"),
    }
    form_presets = presets(PRESETS, num_features=0, num_groups=1)
    example_arguments = {"scale": 2, "num_features": 4, "num_groups": 2, "num_steps": 2}

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "srfbn",
        num_features: Number | None = None,
        num_groups: Number | None = None,
        num_steps: Repeats = 4,
    ) -> None:
        super().__init__(scale=scale)
        features, groups = PRESETS[preset]
        features = features if num_features is None else num_features
        groups = groups if num_groups is None else num_groups
        self.num_groups, self.num_steps = groups, num_steps
        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, +1)
        self.conv_in = _activated(nn.Conv2d(3, 4 * features, 3, padding=1))
        self.feat_in = _activated(nn.Conv2d(4 * features, features, 1))
        self.block = FeedbackBlock(features, groups, scale)
        self.out = _activated(nn.ConvTranspose2d(features, features, *PROJECTIONS[scale]))
        self.conv_out = nn.Sequential(nn.Conv2d(features, 3, 3, padding=1))
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor | Outputs:
        """Super-resolve (B, 3, h, w) in [0, 255]; in training, return every step's image."""
        image = self.sub_mean(lr)
        size = self.output_size(*lr.shape[-2:])
        base = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
        base = self.add_mean(base)
        features = self.feat_in(self.conv_in(image))
        hidden, aux = features, {}
        for step in range(1, self.num_steps + 1):
            hidden = self.block(features, hidden)
            if self.training and step < self.num_steps:
                aux[f"step_{step}"] = self._image(hidden, base) / self.value_range
        sr = self._image(hidden, base)
        return Outputs(sr, aux) if self.training else sr

    def _image(self, hidden: Tensor, base: Tensor) -> Tensor:
        return base + self.conv_out(self.out(hidden))

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Compare every step with HR in [0, 1]."""
        full = hr / self.value_range
        return {f"step_{step}": full for step in range(1, self.num_steps)}
