"""SwinIR: residual groups of shifted-window attention."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Annotated

import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Colour
from realdeg.backbones.parts.classic import MOST, Number
from realdeg.backbones.parts.keys import store_as
from realdeg.backbones.parts.spans import Span, conv_span, shuffle_span, union
from realdeg.backbones.parts.swin import SwinSkeleton, closing_conv, run_conv
from realdeg.backbones.parts.windows import (
    DropPath,
    Perceptron,
    WindowAttention,
    from_windows,
    shift_masks,
    to_windows,
    window_span,
)
from realdeg.backbones.readings import State, count, presets, shape_of, shuffled, size
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

RECONSTRUCTIONS: tuple[str, ...] = ("pixelshuffle", "pixelshuffledirect", "nearest+conv")


@dataclass(frozen=True)
class Preset:
    """One of the released networks, by the arguments of :class:`SwinIR`."""

    groups: int
    width: int
    heads: int
    reconstruction: str
    three_convs: bool = False


PRESETS: dict[str, Preset] = {
    "classical": Preset(6, 180, 6, "pixelshuffle"),
    "lightweight": Preset(4, 60, 6, "pixelshuffledirect"),
    "real_m": Preset(6, 180, 6, "nearest+conv"),
    "real_l": Preset(9, 240, 8, "nearest+conv", three_convs=True),
}


def _reconstruction(state: State) -> str | None:
    """Recognise the head by its layers; networks of equal sizes have none."""
    if "conv_hr.weight" in state:
        return "nearest+conv"
    if "upsample.0.weight" in state:
        before = "conv_before_upsample.0.weight" in state
        return "pixelshuffle" if before else "pixelshuffledirect"
    return None


def _scale(state: State) -> int | None:
    form, shape = _reconstruction(state), shape_of(state, "upsample.0.weight")
    if form == "nearest+conv":
        return 2 ** (count(r"conv_up(\d)\.weight")(state) or 0)
    if form == "pixelshuffledirect" and shape:
        return isqrt(shape[0] // max(size("conv_first.weight", 1)(state) or 1, 1))
    if form == "pixelshuffle":
        return shuffled(r"upsample\.\d+\.weight", size("conv_before_upsample.0.weight"))(state)
    return None


def _same_size(state: State) -> bool | None:
    return _reconstruction(state) is None if "conv_after_body.weight" in state else None


def _three_convs(state: State) -> bool | None:
    single, first = (f"layers.0.conv.{name}weight" in state for name in ("", "0."))
    return first if single or first else None


class SwinBlock(nn.Module):
    """Window attention and an MLP, each after a layer norm and with a skip connection.

    Args:
        channels: Channels.
        heads: Attention heads.
        window: The windows' side in pixels.
        shift: The windows' shift in pixels.
        mlp_ratio: Ratio of the MLP's hidden channels to its inputs.
        drop_path: Probability that a branch is dropped in training.
    """

    attn_mask: Tensor | None

    def __init__(
        self,
        channels: int,
        heads: int,
        window: int,
        shift: int,
        mlp_ratio: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, window, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Perceptron(channels, int(channels * mlp_ratio))
        self.register_buffer("attn_mask", shift_masks(window, shift) if shift else None)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, H, W, C)."""
        branch = self.norm1(features)
        if self.shift:
            branch = branch.roll((-self.shift, -self.shift), (1, 2))
        branch = from_windows(
            self.attn(to_windows(branch, self.window), self.attn_mask), self.window
        )
        if self.shift:
            branch = branch.roll((self.shift, self.shift), (1, 2))
        features = features + self.drop_path(branch)
        return features + self.drop_path(self.mlp(self.norm2(features)))


class SwinBlocks(nn.Module):
    """Blocks in sequence, under the published key ``blocks``."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, H, W, C)."""
        for block in self.blocks:
            features = block(features)
        return features


class SwinGroup(nn.Module):
    """Blocks, a convolution or a bottleneck of three, and the input added (the paper's RSTB).

    Every second block has shifted windows. ``drop_path`` has one rate for each block.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: int,
        mlp_ratio: float,
        three_convs: bool,
        drop_path: list[float],
    ) -> None:
        super().__init__()
        self.residual_group = SwinBlocks(
            [
                SwinBlock(channels, heads, window, window // 2 * (i % 2), mlp_ratio, rate)
                for i, rate in enumerate(drop_path)
            ]
        )
        self.conv = closing_conv(channels, three_convs)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, H, W, C)."""
        return features + run_conv(self.conv, self.residual_group(features))


@BACKBONES.register_module()
class SwinIR(SwinSkeleton):
    """Image restoration by shifted-window transformers.

    If LR and HR have the same size, there is no upsampling and the input is added, as in the
    authors' denoisers. Published weights hold attention masks for the size of the training images.
    They are ignored: masks for the four kinds of window serve every size.

    Args:
        scale: 2, 3, 4 or 8 (``"nearest+conv"``: 2 or 4).
        same_size: The LR image lies on the HR grid.
        preset: ``"classical"`` (M), ``"lightweight"`` (S), ``"real_m"`` or ``"real_l"`` (for
            real photos).
        groups: Residual groups; None: the preset's.
        blocks: Blocks in each.
        width: Channels; None: the preset's.
        heads: Attention heads; None: the preset's.
        window: The windows' side in pixels (the authors' JPEG networks: 7).
        mlp_ratio: Ratio of the MLPs' hidden channels to their inputs.
        reconstruction: ``"pixelshuffle"``, ``"pixelshuffledirect"`` or ``"nearest+conv"``; None:
            the preset's. Unused with ``same_size``.
        three_convs: Groups and body end in a bottleneck of three convolutions; None: the preset's.
        drop_path: Probability that the last block's branches are dropped in training.
        colour: ``"rgb"`` or ``"y"`` (without a mean shift).
        value_range: The number that stands for white (the authors' JPEG networks: 255).
        head_features: Channels of the reconstruction, if it has its own.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        GeometryError: If the reconstruction does not come in that scale.

    Source:
        Liang, Cao, Sun, Zhang, Van Gool, Timofte, SwinIR: Image Restoration Using Swin
        Transformer, ICCVW 2021. Keys follow JingyunLiang/SwinIR.
    """

    same_size_form = "native"

    conv_hr: nn.Module

    form_readings = {
        **SwinSkeleton.form_readings,
        "scale": _scale,
        "same_size": _same_size,
        "reconstruction": _reconstruction,
        "three_convs": _three_convs,
    }
    form_presets = presets(PRESETS, "groups", "width", "heads", "reconstruction", "three_convs")
    example_arguments = {**SwinSkeleton.example_arguments, "drop_path": 0.0, "head_features": 8}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        preset: Annotated[str, Choice(*PRESETS)] = "classical",
        groups: Number | None = None,
        blocks: Number = 6,
        width: Number | None = None,
        heads: Number | None = None,
        window: Annotated[int, Interval(ge=2, le=MOST)] = 8,
        mlp_ratio: float = 2.0,
        reconstruction: Annotated[str, Choice(*RECONSTRUCTIONS)] | None = None,
        three_convs: bool | None = None,
        drop_path: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        colour: Colour = "rgb",
        value_range: float = 1.0,
        head_features: Number = 64,
    ) -> None:
        chosen = PRESETS[preset]
        form = chosen.reconstruction if reconstruction is None else reconstruction
        bottleneck = chosen.three_convs if three_convs is None else three_convs
        channels = chosen.width if width is None else width
        count = chosen.heads if heads is None else heads
        super().__init__(
            scale,
            same_size,
            channels,
            chosen.groups if groups is None else groups,
            blocks,
            count,
            window,
            colour,
            value_range,
            drop_path,
            lambda rates: SwinGroup(channels, count, window, mlp_ratio, bottleneck, rates),
            head_features,
            bottleneck,
        )
        self.reconstruction = "none" if same_size else form
        if self.reconstruction == "pixelshuffle":
            self.add_shuffle_head(channels)
        elif self.reconstruction == "pixelshuffledirect":
            self.upsampler = nn.Sequential(
                nn.Conv2d(channels, scale**2 * self.channels, 3, padding=1), nn.PixelShuffle(scale)
            )
            store_as(self, "upsampler", "upsample")
        elif self.reconstruction == "nearest+conv":
            self._add_nearest_head(channels)
        else:
            self.conv_last = nn.Conv2d(channels, self.channels, 3, padding=1)
        self.finish()

    def reconstruct(self, features: Tensor, image: Tensor) -> Tensor:
        """Reconstruct the image, without its mean, from features (B, E, h, w)."""
        if self.reconstruction == "pixelshuffle":
            return super().reconstruct(features, image)
        if self.reconstruction == "pixelshuffledirect":
            return self.upsampler(features)
        if self.reconstruction == "none":
            return image + self.conv_last(features)
        features = self.conv_before_upsample(features)
        for step in range(self.scale // 2):
            features = F.interpolate(features, scale_factor=2, mode="nearest")
            features = F.leaky_relu(self.get_submodule(f"conv_up{step + 1}")(features), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(features), 0.2))

    def trace_head(self, span: Span) -> Span:
        """Trace a span of output pixels back to the last features."""
        if self.reconstruction == "pixelshuffle":
            return super().trace_head(span)
        if self.reconstruction == "pixelshuffledirect":
            return conv_span(shuffle_span(span, self.scale), 3)
        span = conv_span(span, 3)
        if self.reconstruction == "none":
            return span
        span = conv_span(span, 3)
        for _ in range(self.scale // 2):
            span = shuffle_span(conv_span(span, 3), 2)
        return conv_span(span, 3)

    def trace_group(self, span: Span) -> Span:
        """Trace a span of a group's output back to its input."""
        back = conv_span(span, self.closing_kernel)
        for block in reversed(range(self.blocks)):
            back = window_span(back, self.window, self.window // 2 * (block % 2))
        return union(span, back)

    def _add_nearest_head(self, width: int) -> None:
        if self.scale not in (2, 4):
            raise GeometryError(
                f"SwinIR(reconstruction='nearest+conv') does not come in scale {self.scale}:"
                " it has 2 and 4."
            )
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(width, self.head_features, 3, padding=1), nn.LeakyReLU(inplace=True)
        )
        names = ["conv_up1", "conv_up2"][: self.scale // 2] + ["conv_hr"]
        for name in names:
            self.add_module(name, nn.Conv2d(self.head_features, self.head_features, 3, padding=1))
        self.conv_last = nn.Conv2d(self.head_features, self.channels, 3, padding=1)
