"""HAT: window attention beside channel attention, and attention across overlapping windows."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Colour
from realdeg.backbones.parts.classic import MOST, Number
from realdeg.backbones.parts.hat import (
    HybridBlock,
    HybridBlocks,
    HybridGroup,
    OverlapAttention,
    overlap_index,
)
from realdeg.backbones.parts.spans import Span, conv_span, union
from realdeg.backbones.parts.swin import SwinSkeleton
from realdeg.backbones.parts.windows import position_index, shift_masks, window_span
from realdeg.backbones.readings import State, presets, ratio, shape_of, shuffled, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale


@dataclass(frozen=True)
class Preset:
    """One of the released networks.

    Attributes:
        groups: Residual groups.
        width: Channels.
        compress: Factor by which there are fewer channels between a block's convolutions.
        squeeze: Factor by which the channel attention's bottleneck has fewer channels.
    """

    groups: int
    width: int
    compress: int
    squeeze: int


PRESETS: dict[str, Preset] = {
    "hat": Preset(6, 180, 3, 30),
    "hat_s": Preset(6, 144, 24, 24),
    "hat_l": Preset(12, 180, 3, 30),
}


_BLOCK = r"layers\.0\.residual_group\.blocks\.0\.conv_block\.cab\."


def _overlap(state: State) -> float | None:
    shape = shape_of(state, "relative_position_index_OCA", 2)
    if not shape or not shape[0]:
        return None
    window, keys = (isqrt(side) for side in shape)
    return (keys - window) / window


@BACKBONES.register_module()
class HAT(SwinSkeleton):
    """Hybrid attention transformer.

    Args:
        scale: 2, 3, 4 or 8.
        preset: ``"hat"``, ``"hat_s"`` or ``"hat_l"``.
        groups: Residual groups; None: the preset's.
        blocks: Hybrid blocks per group.
        width: Channels; None: the preset's.
        heads: Heads.
        window: The windows' side in pixels.
        overlap: By which share the overlapping attention's key windows are larger.
        compress: Factor by which there are fewer channels between a block's convolutions; None:
            the preset's.
        squeeze: Factor by which the channel attention's bottleneck has fewer channels; None: the
            preset's.
        conv_scale: The factor of a block's convolutional branch.
        mlp_ratio: Hidden width over channels of the perceptrons.
        drop_path: Rate at which the last block's branches are dropped in training.
        colour: ``"rgb"`` or ``"y"`` (without a mean shift).
        head_features: Channels of the reconstruction.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w)

    Source:
        Chen, Wang, Zhou, Qiao, Dong, Activating More Pixels in Image Super-Resolution Transformer,
        CVPR 2023. Keys follow XPixelGroup/HAT.
    """

    whole_image = True

    relative_position_index_SA: Tensor  # noqa: N815 (the published key)
    relative_position_index_OCA: Tensor  # noqa: N815
    masks: Tensor

    form_readings = {
        **SwinSkeleton.form_readings,
        "scale": shuffled(r"upsample\.\d+\.weight", size("conv_before_upsample.0.weight")),
        "overlap": _overlap,
        "compress": ratio(_BLOCK + r"0\.weight", 1, 0),
        "squeeze": ratio(_BLOCK + r"3\.attention\.1\.weight", 1, 0),
    }
    form_presets = presets(PRESETS, "groups", "width", "compress", "squeeze")
    form_subset = ("compress", "squeeze", "overlap")  # several give the same layers
    example_arguments = {
        **SwinSkeleton.example_arguments,
        **{"compress": 2, "squeeze": 2, "conv_scale": 0.5, "drop_path": 0.0, "head_features": 8},
    }

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "hat",
        groups: Number | None = None,
        blocks: Number = 6,
        width: Number | None = None,
        heads: Number = 6,
        window: Annotated[int, Interval(ge=2, le=MOST)] = 16,
        overlap: float = 0.5,
        compress: int | None = None,
        squeeze: int | None = None,
        conv_scale: float = 0.01,
        mlp_ratio: float = 2.0,
        drop_path: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        colour: Colour = "rgb",
        head_features: Number = 64,
    ) -> None:
        chosen = PRESETS[preset]
        channels = chosen.width if width is None else width
        narrow = chosen.compress if compress is None else compress
        reduction = chosen.squeeze if squeeze is None else squeeze
        grown = int(window * overlap)
        if not 1 <= min(narrow, reduction) <= max(narrow, reduction) <= channels or grown % 2:
            raise ConfigError(
                "HAT needs compress and squeeze from 1 to its width, and an overlap of an even"
                f" number of pixels, got {narrow} and {reduction} for {channels} channels and"
                f" {grown} pixels."
            )
        self.margin = grown // 2

        def make_group(rates: list[float]) -> nn.Module:
            shifts = [window // 2 * (i % 2) for i in range(len(rates))]
            made: list[nn.Module] = [
                HybridBlock(
                    channels, heads, window, shift, narrow, reduction, conv_scale, mlp_ratio, rate
                )
                for shift, rate in zip(shifts, rates, strict=True)
            ]
            last = OverlapAttention(channels, heads, window, self.margin, mlp_ratio)
            return HybridGroup(HybridBlocks(made, last), channels)

        super().__init__(
            scale,
            False,
            channels,
            chosen.groups if groups is None else groups,
            blocks,
            heads,
            window,
            colour,
            1.0,
            drop_path,
            make_group,
            head_features,
        )
        self.register_buffer("relative_position_index_SA", position_index(window))
        self.register_buffer("relative_position_index_OCA", overlap_index(window, self.margin))
        self.register_buffer("masks", shift_masks(window, window // 2), persistent=False)
        self.add_shuffle_head(channels)
        self.finish()

    def run_groups(self, features: Tensor) -> Tensor:
        """Run the groups on (B, H, W, C)."""
        indices = self.relative_position_index_SA, self.relative_position_index_OCA
        for group in self.layers:
            features = group(features, *indices, self.masks)
        return features

    def trace_group(self, span: Span) -> Span:
        """Trace a span of a group's output back to its input, ignoring channel attention."""
        back = window_span(conv_span(span, 3), self.window, margin=self.margin)
        for block in reversed(range(self.blocks)):
            attended = window_span(back, self.window, self.window // 2 * (block % 2))
            back = union(attended, conv_span(back, 5))
        return union(span, back)
