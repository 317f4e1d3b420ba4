"""CSNLN: a recurrent network that matches structures across positions and scales."""

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
    recomputed,
    slice_length,
    to_blocks,
)
from realdeg.backbones.parts.classic import MOST, Repeats
from realdeg.backbones.parts.common import MeanShift, pad_to_multiple
from realdeg.backbones.parts.spans import Span, conv_span, deconv_span, halo_of, union
from realdeg.backbones.readings import State, shape_of, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

# The similarity of 3 x 3 patches is multiplied by this.
SHARPNESS = 10.0
# Nine patches overlap at each pixel of the result; the authors divide their sum by 6.
OVERLAP = 6.0


def activated(layer: nn.Module) -> nn.Sequential:
    """Return a layer and a PReLU of one slope."""
    return nn.Sequential(layer, nn.PReLU())


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return a 1x1 convolution and a PReLU."""
    return activated(nn.Conv2d(in_channels, out_channels, 1))


def paste_matches(query: Tensor, key: Tensor, value: Tensor, factor: int, floor: Tensor) -> Tensor:
    """Paste at each pixel the larger patches whose smaller versions match its surroundings.

    The public code convolves the query with all patches of the key, which gives all scores at
    once, and pastes patches by a transposed convolution. Here a few rows of queries are compared
    at a time. The 3s x 3s patches lie s apart, so each consists of nine s x s blocks that
    neighbours share, and no patch has to be extracted.

    Args:
        query: (B, d, h, w).
        key: (B, d, h / s, w / s).
        value: (B, c, h, w).
        factor: s.
        floor: Lower bound of the norm that a patch is divided by, shape (1,).

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
        """Process some rows of queries; the result has a border of one block around them."""
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
            total[:, top : top + lines.shape[2]] += recomputed(part, lines, patches, blocks)
    return from_blocks(total[:, 1:-1, 1:-1], factor) / OVERLAP


class CrossScaleAttention(nn.Module):
    """Enlarge by pasting patches of the image itself, found by their smaller versions.

    Args:
        channels: Channels in and out.
        factor: Output over input size; the sides of the input are multiples of it.

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
    """Non-local attention without a skip."""

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
    """Convolution, PReLU, convolution, and the input added."""

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
    """Enlarge twice, across scales and within the scale, and add the encoded difference.

    Args:
        channels: Channels.
        factor: Output over input size.

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
    """One step of the recurrence (SEM): from LR features to HR features and the next LR features.

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

    The HR features of all steps enter one convolution. It is summed step by step, so prediction
    holds the features of only one step.

    Args:
        scale: 2, 3 or 4.
        num_features: Channels; an even number.
        depth: Steps of the recurrence, which share their weights.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

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
    example_arguments = {"scale": 2, "num_features": 8, "depth": 2}

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
        """Trace a span of output pixels back; attention counts only a pixel's surroundings."""
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
            # The second half starts from features of twice the size.
            span = union(self._trace_msp(span), self._trace_msp(conv_span(low, 8, 4, 2)))
        low = deconv_span(span, *self._shape())
        again = self._trace_msp(conv_span(low, *self._shape()))
        return union(low, self._trace_msp(span), again, *lows)

    def _trace_msp(self, span: Span) -> Span:
        span = conv_span(span, 5)
        factor = self.size_multiple
        pasted = conv_span((span[0] // factor, span[1] // factor), 5)
        return union(deconv_span(span, *self._shape()), pasted)
