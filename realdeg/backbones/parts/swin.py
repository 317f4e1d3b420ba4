"""The skeleton that SwinIR and HAT share: everything before and after the attention groups."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.common import DIV2K_MEAN, Upsampler, pad_to_multiple, upsampling_steps
from realdeg.backbones.parts.keys import store_as
from realdeg.backbones.parts.spans import Span, conv_span, halo_of, shuffle_span
from realdeg.backbones.readings import State, colour_of, count, shape_of, size
from realdeg.errors import ConfigError

_TABLE = r"layers\.0\.residual_group\.blocks\.0\.attn\.relative_position_bias_table"
# Stored masks depend only on the size of the training images.
_MASKS = Dialect("a training", drop=r".*\.attn_mask", keeps=r".*\.attn_mask")


def _heads(state: State) -> int | None:
    shape = shape_of(state, _TABLE, 2)
    return shape[1] if shape else None


def _window(state: State) -> int | None:
    shape = shape_of(state, _TABLE, 2)
    return (isqrt(shape[0]) + 1) // 2 if shape else None


def _mlp_ratio(state: State) -> float | None:
    shape = shape_of(state, r"layers\.0\.residual_group\.blocks\.0\.mlp\.fc1\.weight", 2)
    return shape[0] / max(shape[1], 1) if shape else None


GroupFactory = Callable[[list[float]], nn.Module]


class SwinSkeleton(Backbone):
    """Subtract the mean, convolution, groups with a skip, reconstruction, add the mean.

    Args:
        scale: HR over LR size.
        same_size: The LR image lies on the HR grid: no upsampling, and the input is added.
        width: Channels E.
        groups: Groups of attention blocks.
        blocks: Blocks per group.
        heads: Heads of each attention.
        window: The windows' side in pixels.
        colour: ``"rgb"`` or ``"y"``; the DIV2K mean is subtracted in RGB only.
        value_range: The value of white.
        drop_path: Rate at which the last block's branches are dropped in training; it rises
            linearly from 0 at the first block.
        make_group: Makes a group from its blocks' drop rates.
        head_features: Channels of the reconstruction.
        three_convs: The body ends in a bottleneck of three convolutions.
    """

    colour: Colour = "rgb"
    scales: tuple[int, ...] | None = (2, 3, 4, 8)
    upsample = "post"

    mean: Tensor
    upsampler: nn.Module
    conv_last: nn.Module

    dialects = (_MASKS,)
    form_readings = {
        "groups": count(r"layers\.(\d+)\.residual_group\.blocks\.0\.norm1\.weight"),
        "blocks": count(r"layers\.0\.residual_group\.blocks\.(\d+)\.norm1\.weight"),
        "width": size("conv_first.weight"),
        "heads": _heads,
        "window": _window,
        "mlp_ratio": _mlp_ratio,
        "colour": colour_of("conv_first.weight", 1),
        "head_features": size("conv_before_upsample.0.weight"),
    }
    example_arguments = {
        **{"scale": 2, "groups": 1, "blocks": 2, "width": 8, "heads": 2, "window": 4},
    }

    def __init__(
        self,
        scale: int,
        same_size: bool,
        width: int,
        groups: int,
        blocks: int,
        heads: int,
        window: int,
        colour: Colour,
        value_range: float,
        drop_path: float,
        make_group: GroupFactory,
        head_features: int = 64,
        three_convs: bool = False,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        if width % heads:
            raise ConfigError(
                f"{type(self).__name__} needs a width that its heads divide, got {width} channels"
                f" for {heads} heads."
            )
        self.value_range = value_range
        self.groups, self.blocks, self.window = groups, blocks, window
        self.size_multiple = window
        self.head_features = head_features
        mean = value_range * torch.tensor(DIV2K_MEAN if colour == "rgb" else (0.0,))
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1), persistent=False)

        self.conv_first = nn.Conv2d(self.channels, width, 3, padding=1)
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(width)})
        last = max(groups * blocks - 1, 1)
        self.layers = nn.ModuleList(
            make_group([drop_path * i / last for i in range(g * blocks, (g + 1) * blocks)])
            for g in range(groups)
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = closing_conv(width, three_convs)
        self.closing_kernel = 5 if three_convs else 3

    def add_shuffle_head(self, width: int) -> None:
        """Add the layers of the classical reconstruction, for ``width`` input channels."""
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(width, self.head_features, 3, padding=1), nn.LeakyReLU(inplace=True)
        )
        self.upsampler = Upsampler(self.scale, self.head_features)
        store_as(self, "upsampler", "upsample")
        self.conv_last = nn.Conv2d(self.head_features, self.channels, 3, padding=1)

    def finish(self) -> None:
        """Initialise linear layers as the authors do and set the halo; subclasses call it last."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        factor = 1 if self.same_size else self.scale
        self.halo = halo_of(self.trace, factor, self.window)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, ``value_range``]."""
        height, width = self.output_size(*lr.shape[-2:])
        image = pad_to_multiple(lr, self.window) - self.mean
        first = self.conv_first(image)
        features = self.patch_embed["norm"](first.permute(0, 2, 3, 1))
        features = self.norm(self.run_groups(features)).permute(0, 3, 1, 2)
        features = self.conv_after_body(features) + first
        return (self.reconstruct(features, image) + self.mean)[..., :height, :width]

    def run_groups(self, features: Tensor) -> Tensor:
        """Run the groups on (B, H, W, C)."""
        for group in self.layers:
            features = group(features)
        return features

    def reconstruct(self, features: Tensor, image: Tensor) -> Tensor:
        """Return the image without its mean, from features (B, E, h, w) and the padded input."""
        return self.conv_last(self.upsampler(self.conv_before_upsample(features)))

    def trace(self, span: Span) -> Span:
        """Trace a span of output pixels back to input pixels."""
        span = conv_span(self.trace_head(span), self.closing_kernel)
        for _ in range(self.groups):
            span = self.trace_group(span)
        return conv_span(span, 3)

    def trace_head(self, span: Span) -> Span:
        """Trace a span of output pixels back to the last features."""
        span = conv_span(span, 3)
        for step in reversed(upsampling_steps(self.scale)):
            span = conv_span(shuffle_span(span, step), 3)
        return conv_span(span, 3)

    def trace_group(self, span: Span) -> Span:
        """Trace a span of a group's output back to its input."""
        raise NotImplementedError


def closing_conv(channels: int, three_convs: bool) -> nn.Module:
    """Return the convolution, or bottleneck of three, that ends a group or the body."""
    if not three_convs:
        return nn.Conv2d(channels, channels, 3, padding=1)
    narrow = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, narrow, 3, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, channels, 3, padding=1),
    )


def run_conv(conv: nn.Module, features: Tensor) -> Tensor:
    """Run convolutions on a map (B, H, W, C)."""
    return conv(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
