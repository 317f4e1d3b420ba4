"""SAN: second-order channel attention, and non-local attention inside the quarters."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.attention import as_image, as_tokens, attend_everywhere, zeroed
from realdeg.backbones.parts.classic import MOST, Number
from realdeg.backbones.parts.common import MeanShift, Upsampler, post_upsampling_halo
from realdeg.backbones.readings import count, ratio, shuffled, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale
from realdeg.utils.precision import full_precision

# The covariance of larger feature maps is computed from their central part of this side.
LARGEST = 1000
ITERATIONS = 5
# The trace of a flat map is 0, and so are all its covariances.
SMALLEST_TRACE = 1e-12


def covariance(features: Tensor) -> Tensor:
    """Return the covariance of the channels.

    The public code multiplies with an n x n centring matrix for n pixels; subtracting the means
    is equivalent.

    Args:
        features: (B, C, H, W).

    Returns:
        (B, C, C), divided by the number of pixels.
    """
    tokens = features.flatten(2)
    centred = tokens - tokens.mean(2, keepdim=True)
    return centred @ centred.transpose(1, 2) / tokens.shape[2]


def matrix_root(matrix: Tensor) -> Tensor:
    """Return the square root of symmetric matrices by five steps of Newton and Schulz.

    Args:
        matrix: (B, C, C), positive semidefinite.

    Returns:
        (B, C, C), the approximate root.

    Source:
        Li et al., Towards Faster Training of Global Covariance Pooling Networks by Iterative
        Matrix Square Root Normalization, CVPR 2018, equations 2 to 5.
    """
    trace = matrix.diagonal(dim1=1, dim2=2).sum(1).clamp(min=SMALLEST_TRACE)[:, None, None]
    matrix = matrix / trace
    triple = 3 * torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    inverse = (triple - matrix) / 2
    root = matrix @ inverse
    for _ in range(ITERATIONS - 2):
        factor = (triple - inverse @ root) / 2
        root, inverse = root @ factor, factor @ inverse
    return root @ (triple - inverse @ root) / 2 * trace.sqrt()


class SecondOrderAttention(nn.Module):
    """Weight each channel by a factor in (0, 1) computed from the covariance of all (SOCA).

    Args:
        channels: Channels.
        reduction: Ratio of the channels to those of the bottleneck.

    Source:
        SAN, section 3.3.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        height, width = features.shape[2:]
        top, left = max(height - LARGEST, 0) // 2, max(width - LARGEST, 0) // 2
        part = features[:, :, top : top + LARGEST, left : left + LARGEST]
        # Eight bits of mantissa are too few for the iteration to converge.
        with full_precision(features):
            kind = torch.promote_types(part.dtype, torch.float32)
            means = matrix_root(covariance(part.to(kind))).mean(1)
        return features * self.conv_du(means[:, :, None, None].to(features.dtype))


class Halve(nn.Module):
    """Max pooling by 2; a side of 1 pixel stays."""

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return F.max_pool2d(features, [min(2, side) for side in features.shape[2:]])


class EmbeddedGaussian(nn.Module):
    """Non-local attention with keys and values of half the resolution.

    Source:
        Wang et al., Non-local Neural Networks, CVPR 2018.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.g = nn.Sequential(nn.Conv2d(channels, inner, 1), Halve())
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Sequential(nn.Conv2d(channels, inner, 1), Halve())
        # Starts as the identity.
        self.W = zeroed(nn.Conv2d(inner, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        query, key, value = (as_tokens(m(features)) for m in (self.theta, self.phi, self.g))
        attended = attend_everywhere(query, key, value)
        return features + self.W(as_image(attended, *features.shape[2:]))


class RegionAttention(nn.Module):
    """Non-local attention in each quarter of the image separately."""

    def __init__(self, channels: int, inner: int, reduction: int) -> None:
        super().__init__()
        # In the published weights, but unused.
        self.soca = SecondOrderAttention(channels, reduction).requires_grad_(False)
        self.non_local = EmbeddedGaussian(channels, inner)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        height, width = features.shape[2:]
        rows = [
            torch.cat([self._quarter(quarter) for quarter in half.split(_halves(width), 3)], 3)
            for half in features.split(_halves(height), 2)
        ]
        return torch.cat(rows, 2)

    def _quarter(self, quarter: Tensor) -> Tensor:
        return self.non_local(quarter) if min(quarter.shape[2:]) else quarter


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_first = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.conv_first(features)


class AttentionGroup(nn.Module):
    """Residual blocks, second-order attention, a convolution, and the input added (LSRAG)."""

    def __init__(self, blocks: int, channels: int, reduction: int) -> None:
        super().__init__()
        self.rcab = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.soca = SecondOrderAttention(channels, reduction)
        self.conv_last = nn.Conv2d(channels, channels, 3, padding=1)
        # In the published weights, but unused.
        self.gamma = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        inner = features
        for block in self.rcab:
            inner = block(inner)
        return features + self.conv_last(self.soca(inner))


@BACKBONES.register_module()
class SAN(Backbone):
    """Second-order attention network.

    The published weights contain unused tensors: the last convolution, an attention beside the
    non-local one, and a factor in each group. They are kept here, but frozen (``requires_grad`` is
    False).

    Args:
        scale: 2, 3, 4 or 8.
        groups: Groups.
        blocks: Residual blocks in each.
        num_features: Channels; 8 or more.
        reduction: Ratio of the channels to those of the attention's bottleneck.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``num_features`` is less than ``reduction``.

    Source:
        Dai, Cai, Zhang, Xia, Zhang, Second-order Attention Network for Single Image
        Super-Resolution, CVPR 2019. Keys follow daitao/SAN.
    """

    value_range = 255.0
    scales = (2, 3, 4, 8)
    whole_image = True

    form_readings = {
        "scale": shuffled(r"tail\.0\.\d+\.weight", size("head.0.weight")),
        "groups": count(r"RG\.(\d+)\.conv_last\.weight"),
        "blocks": count(r"RG\.0\.rcab\.(\d+)\.conv_first\.0\.weight"),
        "num_features": size("head.0.weight"),
        "reduction": ratio(r"RG\.0\.soca\.conv_du\.0\.weight", 1, 0),
    }
    form_subset = ("reduction",)  # several give the same bottleneck

    def __init__(
        self,
        scale: Scale = 4,
        groups: Number = 20,
        blocks: Number = 10,
        num_features: Annotated[int, Interval(ge=8, le=MOST)] = 64,
        reduction: Number = 16,
    ) -> None:
        super().__init__(scale=scale)
        if num_features < reduction:
            raise ConfigError(
                f"SAN: num_features is {num_features}; expected at least reduction ({reduction})."
            )
        self.sub_mean = MeanShift(255.0, -1)
        self.add_mean = MeanShift(255.0, +1)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.head = nn.Sequential(nn.Conv2d(3, num_features, 3, padding=1))
        self.RG = nn.ModuleList(
            AttentionGroup(blocks, num_features, reduction) for _ in range(groups)
        )
        self.conv_last = nn.Conv2d(num_features, num_features, 3, padding=1).requires_grad_(False)
        self.non_local = RegionAttention(num_features, num_features // 8, 8)
        self.tail = nn.Sequential(
            Upsampler(scale, num_features), nn.Conv2d(num_features, 3, 3, padding=1)
        )
        self.halo = post_upsampling_halo(1 + groups * (2 * blocks + 1), scale)

    @classmethod
    def example(cls) -> SAN:
        """Return a network of 2 groups of 1 block, 8 wide, with active attention."""
        network = cls(scale=2, groups=2, blocks=1, num_features=8, reduction=2)
        nn.init.normal_(network.non_local.non_local.W.weight, std=0.5)
        nn.init.constant_(network.gamma, 0.5)
        return network

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        head = self.head(self.sub_mean(lr))
        shared = self.non_local(head)
        features = shared
        for group in self.RG:
            features = group(features) + self.gamma * shared
        return self.add_mean(self.tail(self.non_local(features) + head))


def _halves(side: int) -> list[int]:
    return [side // 2, side - side // 2]
