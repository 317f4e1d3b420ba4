"""RNAN: residual blocks masked by local and by non-local attention."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.attention import as_image, as_tokens, attend_by_query, zeroed
from realdeg.backbones.parts.classic import MOST
from realdeg.backbones.parts.common import MeanShift, Upsampler, pad_to_multiple, upsampling_steps
from realdeg.backbones.parts.edsr import ResBlock
from realdeg.backbones.parts.spans import Span, conv_span, deconv_span, halo_of, shuffle_span, union
from realdeg.backbones.readings import count, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class NonLocal(nn.Module):
    """Non-local attention whose weights sum to 1 over the queries, as published."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, inner, 1)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        # Starts as the identity.
        self.W = zeroed(nn.Conv2d(inner, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        query, key, value = (as_tokens(m(features)) for m in (self.theta, self.phi, self.g))
        attended = attend_by_query(query, key, value)
        return features + self.W(as_image(attended, *features.shape[2:]))


class MaskBranch(nn.Module):
    """A mask for each value, computed in part at half the resolution.

    Args:
        channels: Channels.
        inner: Channels inside the non-local attention that comes first; None: no such attention.

    Shape:
        (B, C, H, W) -> (B, C, H, W) in (0, 1), H and W even.
    """

    def __init__(self, channels: int, inner: int | None) -> None:
        super().__init__()
        first: list[nn.Module] = [] if inner is None else [NonLocal(channels, inner)]
        self.MB_RB1 = nn.Sequential(*first, ResBlock(channels))
        self.MB_Down = nn.Sequential(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
        self.MB_RB2 = nn.Sequential(ResBlock(channels), ResBlock(channels))
        self.MB_Up = nn.Sequential(nn.ConvTranspose2d(channels, channels, 6, stride=2, padding=2))
        self.MB_RB3 = nn.Sequential(ResBlock(channels))
        self.MB_1x1conv = nn.Sequential(nn.Conv2d(channels, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        fine = self.MB_RB1(features)
        coarse = self.MB_RB2(self.MB_Down(fine))
        return self.MB_1x1conv(self.MB_RB3(fine + self.MB_Up(coarse))).sigmoid()


class TrunkBranch(nn.Module):
    """Two residual blocks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ResBlock(channels), ResBlock(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.body(features)


class AttentionModule(nn.Module):
    """A trunk, the mask it is multiplied by, and residual blocks before and after.

    Source:
        RNAN, equation 6.
    """

    def __init__(self, channels: int, inner: int | None) -> None:
        super().__init__()
        self.RA_RB1 = nn.Sequential(ResBlock(channels))
        self.RA_TB = nn.Sequential(TrunkBranch(channels))
        self.RA_MB = nn.Sequential(MaskBranch(channels, inner))
        self.RA_tail = nn.Sequential(ResBlock(channels), ResBlock(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        features = self.RA_RB1(features)
        return self.RA_tail(self.RA_TB(features) * self.RA_MB(features) + features)


class Group(nn.Module):
    """An attention module and a convolution."""

    def __init__(self, channels: int, inner: int | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            AttentionModule(channels, inner), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.body(features)


@BACKBONES.register_module()
class RNAN(Backbone):
    """Residual non-local attention network.

    Its first and last group see the whole image. The authors' code takes the softmax of their
    attention over the queries instead of the keys; the published weights need this.

    Args:
        scale: 2, 3, 4 or 8.
        groups: Groups, 3 or more, including the two non-local ones.
        num_features: Channels; an even number.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Zhang, Li, Li, Zhong, Fu, Residual Non-local Attention Networks for Image Restoration,
        ICLR 2019. Keys follow yulunzhang/RNAN.
    """

    value_range = 255.0
    scales = (2, 3, 4, 8)
    size_multiple = 2
    whole_image = True

    form_readings = {
        "scale": shuffled(r"tail\.0\.\d+\.weight", size("head.0.weight")),
        "groups": count(r"body\.(\d+)\.body\.1\.weight", 2),
        "num_features": size("head.0.weight"),
    }

    def __init__(
        self,
        scale: Scale = 4,
        groups: Annotated[int, Interval(ge=3, le=MOST)] = 10,
        num_features: Annotated[int, Interval(ge=2, le=MOST), MultipleOf(2)] = 64,
    ) -> None:
        super().__init__(scale=scale)
        self.groups = groups
        self.sub_mean = MeanShift(255.0, -1)
        self.add_mean = MeanShift(255.0, +1)
        self.head = nn.Sequential(nn.Conv2d(3, num_features, 3, padding=1))
        self.body_nl_low = nn.Sequential(Group(num_features, num_features // 2))
        self.body = nn.Sequential(
            *(Group(num_features) for _ in range(groups - 2)),
            nn.Conv2d(num_features, num_features, 3, padding=1),
        )
        self.body_nl_high = nn.Sequential(Group(num_features, num_features // 2))
        self.tail = nn.Sequential(
            Upsampler(scale, num_features), nn.Conv2d(num_features, 3, 3, padding=1)
        )
        self.halo = halo_of(self._trace, scale, self.size_multiple)

    @classmethod
    def example(cls) -> RNAN:
        """Return a network of 3 groups, 4 wide, with active attention."""
        network = cls(scale=2, groups=3, num_features=4)
        for module in network.modules():
            if isinstance(module, NonLocal):
                nn.init.normal_(module.W.weight, std=0.5)
        return network

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        height, width = self.output_size(*lr.shape[-2:])
        head = self.head(self.sub_mean(pad_to_multiple(lr, self.size_multiple)))
        features = self.body_nl_high(self.body(self.body_nl_low(head))) + head
        return self.add_mean(self.tail(features))[..., :height, :width]

    def _trace(self, span: Span) -> Span:
        """Trace a span of output pixels back, except through the non-local attention."""
        span = conv_span(span, 3)
        for step in reversed(upsampling_steps(self.scale)):
            span = conv_span(shuffle_span(span, step), 3)
        for group in range(self.groups):
            kernel = 5 if group == 1 else 3  # the body ends in one convolution more
            span = conv_span(conv_span(span, kernel), 9)
            masked = conv_span(span, 5)
            half = conv_span(deconv_span(masked, 6, 2, 2), 9)
            masked = union(masked, conv_span(half, 3, stride=2, padding=1))
            span = conv_span(union(conv_span(masked, 5), conv_span(span, 9)), 5)
        return conv_span(span, 3)
