"""RCAN: residual groups of channel-attention blocks, for larger and for same-size output."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from realdeg.backbones.base import Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.edsr import BASICSR_KEEPS, BASICSR_NAMES, EDSRFamily, basicsr_head
from realdeg.backbones.readings import count, presets, ratio
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

# Groups x blocks. The DML paper trains "RCAN with 100 convolutional layers" and does not say how
# they are divided; 5 x 10 has 100 convolutions inside its blocks and is the usual small RCAN.
PRESETS: dict[str, tuple[int, int]] = {"rcan": (10, 20), "rcan_100": (5, 10)}
_BASICSR = Dialect(
    "BasicSR",
    marks=(r"conv_first\.weight",),
    counts={
        "head": basicsr_head,
        "body": count(r"body\.(\d+)\.conv\.weight"),
        "group": count(r"body\.0\.residual_group\.(\d+)\..*"),
    },
    rename=(
        *BASICSR_NAMES,
        (r"^(body\.\d+)\.conv\.", r"\1.body.{group}."),
        (r"^(body\.\d+)\.residual_group\.(\d+)\.rcab\.", r"\1.body.\2.body."),
        (r"\.body\.3\.attention\.1\.", ".body.3.conv_du.0."),
        (r"\.body\.3\.attention\.3\.", ".body.3.conv_du.2."),
    ),
    keeps=BASICSR_KEEPS,
    implies={"mean_shift": True},
)


class ChannelAttention(nn.Module):
    """Weight each channel by a factor in (0, 1) computed from the means of all.

    Args:
        features: Channels.
        reduction: Ratio of the channels to those of the bottleneck.

    Source:
        RCAN, equations 6 to 8.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv_du = nn.Sequential(
            nn.Conv2d(features, features // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(features // reduction, features, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features * self.conv_du(self.avg_pool(features))


class AttentionBlock(nn.Module):
    """Convolution, ReLU, convolution, channel attention, and the input added (the paper's RCAB).

    Source:
        RCAN, equation 9.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            ChannelAttention(features, reduction),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.body(features)


class ResidualGroup(nn.Module):
    """Attention blocks, a convolution, and the input added."""

    def __init__(self, num_blocks: int, features: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(AttentionBlock(features, reduction) for _ in range(num_blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.body(features)


@BACKBONES.register_module()
class RCAN(EDSRFamily):
    """Residual channel attention network.

    In RGB it works on [0, 255] with the DIV2K mean subtracted, as the published weights need; in Y
    on [0, 1] without a mean. If LR and HR have the same size, the input is first rearranged to a
    coarser grid (pixel unshuffle), and the tail upsamples back.

    Args:
        scale: HR over LR size.
        same_size: The LR image lies on the HR grid.
        preset: ``"rcan"`` (10 groups of 20 blocks, the paper's) or ``"rcan_100"`` (5 groups of 10,
            a reading of the DML paper's "RCAN with 100 convolutional layers").
        num_groups: Residual groups; None: the preset's.
        num_blocks: Attention blocks per group; None: the preset's.
        num_features: Channels.
        reduction: Ratio of the channels to those of the attention's bottleneck.
        colour: ``"rgb"`` or ``"y"``.
        mean_shift: Subtract the mean colour; None: in RGB yes, in Y no.
        value_range: The number that stands for white; None: 255 with mean shift, otherwise 1.
        unshuffle: Factor of the pixel unshuffle at the input; None: 4 with ``same_size``,
            otherwise 1. The tail's factor is ``unshuffle``, times ``scale`` without ``same_size``.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        ConfigError: If ``num_features`` is less than ``reduction``, or Y has a mean shift.
        GeometryError: If the tail's factor is not 1, 3 or a power of two.

    Source:
        Zhang, Li, Li, Wang, Zhong, Fu, Image Super-Resolution Using Very Deep Residual Channel
        Attention Networks, ECCV 2018. The "100 layers" are from Xiao, Yong, Zhang, Degradation
        Model Learning for Real-World Single Image Super-resolution, ACCV 2020.
    """

    whole_image = True

    dialects = (_BASICSR,)
    form_readings = {
        **EDSRFamily.form_readings,
        "num_groups": count(r"body\.(\d+)\.body\.0\.body\.0\.weight"),
        "num_blocks": count(r"body\.0\.body\.(\d+)\.body\.0\.weight"),
        "reduction": ratio(r"body\.0\.body\.0\.body\.3\.conv_du\.0\.weight", 1, 0),
    }
    form_presets = presets(PRESETS, num_groups=0, num_blocks=1)
    form_subset = ("reduction",)  # several give the same bottleneck
    example_arguments = {
        "scale": 2,
        "num_groups": 2,
        "num_blocks": 1,
        "num_features": 8,
        "reduction": 2,
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        preset: Annotated[str, Choice(*PRESETS)] = "rcan",
        num_groups: Number | None = None,
        num_blocks: Number | None = None,
        num_features: Number = 64,
        reduction: Number = 16,
        colour: Colour = "rgb",
        mean_shift: bool | None = None,
        value_range: float | None = None,
        unshuffle: int | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        groups, blocks = PRESETS[preset]
        groups = groups if num_groups is None else num_groups
        blocks = blocks if num_blocks is None else num_blocks
        if num_features < reduction:
            raise ConfigError(
                f"RCAN: num_features is {num_features}; expected at least reduction ({reduction})."
            )
        self.num_groups, self.num_blocks = groups, blocks
        self.assemble(
            [ResidualGroup(blocks, num_features, reduction) for _ in range(groups)],
            num_features,
            mean_shift,
            value_range,
            unshuffle,
        )
