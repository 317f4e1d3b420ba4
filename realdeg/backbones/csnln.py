"""CSNLN: a recurrent network that looks for the same structure at other places and scales."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.attention import (
    as_image,
    as_tokens,
    attend_everywhere,
    from_blocks,
    frugally,
    slice_length,
    to_blocks,
)
from realdeg.backbones.parts.classic import MOST, Repeats
from realdeg.backbones.parts.common import MeanShift, pad_to_multiple
from realdeg.backbones.parts.reach import Span, conv_span, deconv_span, halo_of, union
from realdeg.backbones.readings import State, shape_of, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

# What patches are compared with: 3 x 3 pixels; their similarity is multiplied by 10.
SHARPNESS = 10.0
# Nine patches overlap at each pixel of the result, which the authors divide by 6.
OVERLAP = 6.0


def activated(layer: nn.Module) -> nn.Sequential:
    """Return a layer and a PReLU of one slope."""
    return nn.Sequential(layer, nn.PReLU())


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return a 1x1 convolution and a PReLU."""
    return activated(nn.Conv2d(in_channels, out_channels, 1))


def paste_matches(query: Tensor, key: Tensor, value: Tensor, factor: int, floor: Tensor) -> Tensor:
    """Put at each pixel the larger patches whose smaller versions look like its surroundings.

    The public code convolves the query with all patches of the key, which gives all scores at
    once, and pastes patches by a transposed convolution. Here a few rows of queries are compared
    at a time; and as the 3s x 3s patches lie s apart, each is nine s x s blocks that neighbours
    share, so that no patch is ever cut out.

    Args:
        query: (B, d, h, w).
        key: (B, d, h / s, w / s).
        value: (B, c, h, w).
        factor: s.
        floor: The least norm that a patch is divided by, shape (1,).

    Returns:
        (B, c, s * h, s * w), the mean of overlapping patches times 9 / 6.
    """
    batch, _, height, width = query.shape
    rows, columns = key.shape[2:]
    patches = F.unfold(key, 3, padding=1)  # (B, 9d, L)
    patches = patches / patches.norm(dim=1, keepdim=True).maximum(floor)
    padded = F.pad(query, (1, 1, 1, 1))
    blocks = F.pad(to_blocks(value, factor), (0, 0, 1, 1, 1, 1))

    def part(padded: Tensor, patches: Tensor, blocks: Tensor) -> Tensor:
        """Handle some rows of queries; the result has a border of one block around them."""
        lines = padded.shape[2] - 2
        around = F.unfold(padded, 3).transpose(1, 2)
        weights = (SHARPNESS * (around @ patches)).softmax(2)  # (B, lines * w, L)
        result = weights.new_zeros(batch, lines + 2, width + 2, blocks.shape[3])
        for y in range(3):
            for x in range(3):
                moved = blocks[:, y : y + rows, x : x + columns].flatten(1, 2)
                found = (weights @ moved).unflatten(1, (lines, width))
                result[:, y : y + lines, x : x + width] += found
        return result

    step = max(slice_length(rows * columns) // width, 1)
    if height <= step:
        total = part(padded, patches, blocks)
    else:
        total = blocks.new_zeros(batch, height + 2, width + 2, blocks.shape[3])
        for top in range(0, height, step):
            lines = padded[:, :, top : top + step + 2]
            total[:, top : top + lines.shape[2]] += frugally(part, lines, patches, blocks)
    return from_blocks(total[:, 1:-1, 1:-1], factor) / OVERLAP


class CrossScaleAttention(nn.Module):
    """Enlarge by pasting patches of the image itself, found by their smaller versions.

    Args:
        channels: Channels in and out.
        factor: How many times larger the result is.

    Shape:
        (B, C, h, w) -> (B, C, factor * h, factor * w), h and w multiples of the factor.

    Source:
        CSNLN, section 3.1.
    """

    escape_NaN: Tensor  # noqa: N815 (the published key)

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.register_buffer("escape_NaN", torch.tensor([1e-4]))
        self.conv_match_1 = pointwise(channels, channels // 2)
        self.conv_match_2 = pointwise(channels, channels // 2)
        self.conv_assembly = pointwise(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        size = [side // self.factor for side in features.shape[2:]]
        small = F.interpolate(features, size=size, mode="bilinear", align_corners=False)
        query, key = self.conv_match_1(features), self.conv_match_2(small)
        value = self.conv_assembly(features)
        return paste_matches(query, key, value, self.factor, self.escape_NaN)


class InScaleAttention(nn.Module):
    """Non-local attention without a skip.

    Args:
        channels: Channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_match1 = pointwise(channels, channels // 2)
        self.conv_match2 = pointwise(channels, channels // 2)
        self.conv_assembly = pointwise(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        parts = (self.conv_match1, self.conv_match2, self.conv_assembly)
        query, key, value = (as_tokens(part(features)) for part in parts)
        return as_image(attend_everywhere(query, key, value), *features.shape[2:])


class ResBlock(nn.Module):
    """Convolution, PReLU, convolution, and the input added.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.body(features)


class MultiSourceProjection(nn.Module):
    """Enlarge twice, across scales and within the scale, and add what the two disagree on.

    Args:
        channels: Channels.
        factor: How many times larger the result is.

    Source:
        CSNLN, section 3.3.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.up_attention = CrossScaleAttention(channels, factor)
        self.down_attention = InScaleAttention(channels)
        shape = 3 * factor, factor, factor
        self.upsample = activated(nn.ConvTranspose2d(channels, channels, *shape))
        self.encoder = ResBlock(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Enlarge (B, C, h, w)."""
        within = self.upsample(self.down_attention(features))
        return within + self.encoder(self.up_attention(features) - within)


class MiningCell(nn.Module):
    """One step of the recurrence: features of the LR image to HR features and new LR ones (SEM).

    Args:
        channels: Channels.
        scale: 2, 3 or 4; 4 is done in two steps of 2.

    Shape:
        (B, C, h, w) -> (B, C, scale * h, scale * w), and the LR features through :meth:`lower`.
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        factor = 3 if scale == 3 else 2
        shape = 3 * factor, factor, factor
        self.multi_source_projection = MultiSourceProjection(channels, factor)
        self.down_sample_1 = activated(nn.Conv2d(channels, channels, *shape))
        if scale != 4:
            self.down_sample_2 = activated(nn.Conv2d(channels, channels, *shape))
        self.error_encode = activated(nn.ConvTranspose2d(channels, channels, *shape))
        self.post_conv = activated(nn.Conv2d(channels, channels, 3, padding=1))
        if scale == 4:
            self.multi_source_projection_2 = MultiSourceProjection(channels, 2)
            self.down_sample_3 = activated(nn.Conv2d(channels, channels, 8, 4, 2))
            self.down_sample_4 = activated(nn.Conv2d(channels, channels, 8, 4, 2))
            self.error_encode_2 = activated(nn.ConvTranspose2d(channels, channels, 8, 4, 2))

    def forward(self, features: Tensor) -> Tensor:
        """Return the HR features."""
        high = self.multi_source_projection(features)
        high = high + self.error_encode(features - self.down_sample_1(high))
        if self.scale != 4:
            return high
        high = self.multi_source_projection_2(high)
        return high + self.error_encode_2(features - self.down_sample_3(high))

    def lower(self, high: Tensor) -> Tensor:
        """Return the next LR features from (B, C, scale * h, scale * w)."""
        down = self.down_sample_4 if self.scale == 4 else self.down_sample_2
        return self.post_conv(down(high))


def _scale(state: State) -> int | None:
    shape = shape_of(state, "SEM.down_sample_1.0.weight")
    if "SEM.down_sample_4.0.weight" in state:
        return 4
    return shape[-1] // 3 if shape else None


def _depth(state: State) -> int | None:
    last, width = shape_of(state, "tail.0.weight"), size(r"head\.0\.0\.weight")(state)
    return last[1] // width if last and width else None


@BACKBONES.register_module()
class CSNLN(Backbone):
    """Cross-scale non-local network.

    The HR features of all steps go into one convolution. It is added up step by step, so that
    prediction holds the features of one step only.

    Args:
        scale: How much resolution is lost: 2, 3 or 4.
        num_features: Channels; an even number.
        depth: Steps of the recurrence, which share their weights.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If the sizes make no network.

    Source:
        Mei, Fan, Zhou, Huang, Huang, Shi, Image Super-Resolution with Cross-Scale Non-Local
        Attention and Exhaustive Self-Exemplars Mining, CVPR 2020. Keys follow
        SHI-Labs/Cross-Scale-Non-Local-Attention.
    """

    colour = "rgb"
    scales = (2, 3, 4)
    upsample = "iterative"
    whole_image = True

    form_readings = {
        "scale": _scale,
        "num_features": size(r"head\.0\.0\.weight"),
        "depth": _depth,
    }

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Annotated[int, Interval(ge=2, le=MOST), MultipleOf(2)] = 128,
        depth: Repeats = 12,
    ) -> None:
        super().__init__(scale=scale)
        self.num_features, self.depth = num_features, depth
        self.size_multiple = 3 if scale == 3 else 2
        self.sub_mean = MeanShift(1.0, -1)
        self.add_mean = MeanShift(1.0, +1)
        self.head = nn.Sequential(
            activated(nn.Conv2d(3, num_features, 3, padding=1)),
            activated(nn.Conv2d(num_features, num_features, 3, padding=1)),
        )
        self.SEM = MiningCell(num_features, scale)
        self.tail = nn.Sequential(nn.Conv2d(depth * num_features, 3, 3, padding=1))
        self.halo = halo_of(self._trace, scale, self.size_multiple)

    @classmethod
    def example(cls) -> CSNLN:
        """Return a network of 2 steps, 8 wide."""
        return cls(scale=2, num_features=8, depth=2)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        height, width = self.output_size(*lr.shape[-2:])
        features = self.head(self.sub_mean(pad_to_multiple(lr, self.size_multiple)))
        weight, bias = self.tail[0].parameters()
        weights = weight.split(self.num_features, 1)
        high = self.SEM(features)
        image = F.conv2d(high, weights[0], bias, padding=1)
        for weight in weights[1:]:
            high = self.SEM(self.SEM.lower(high))
            image = image + F.conv2d(high, weight, padding=1)
        return self.add_mean(image)[..., :height, :width]

    def _trace(self, span: Span) -> Span:
        """Follow a span of output pixels back; attention counts as what lies around a pixel."""
        span = self._trace_cell(conv_span(span, 3))
        for _ in range(self.depth - 1):
            shape = (8, 4, 2) if self.scale == 4 else self._shape()
            span = self._trace_cell(conv_span(conv_span(span, 3), *shape))
        return conv_span(span, 5)

    def _shape(self) -> tuple[int, int, int]:
        factor = self.size_multiple
        return 3 * factor, factor, factor

    def _trace_cell(self, span: Span) -> Span:
        lows = []
        if self.scale == 4:
            low = deconv_span(span, 8, 4, 2)
            lows = [low]
            # Features of twice the size are what the second half starts from.
            span = union(self._trace_msp(span), self._trace_msp(conv_span(low, 8, 4, 2)))
        low = deconv_span(span, *self._shape())
        again = self._trace_msp(conv_span(low, *self._shape()))
        return union(low, self._trace_msp(span), again, *lows)

    def _trace_msp(self, span: Span) -> Span:
        span = conv_span(span, 5)
        factor = self.size_multiple
        pasted = conv_span((span[0] // factor, span[1] // factor), 5)
        return union(deconv_span(span, *self._shape()), pasted)
