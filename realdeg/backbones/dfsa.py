"""DFSA: dynamic high-pass filtering and attention over several frequencies, in residual groups."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler, pad_to_multiple
from realdeg.errors import ConfigError
from realdeg.ops import pixel_kernel_apply
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale

GRID = 7
FREQUENCIES: tuple[tuple[int, int], ...] = (
    *((0, 0), (0, 1), (6, 0), (0, 5), (0, 2), (1, 0), (1, 2), (4, 0)),
    *((5, 0), (1, 6), (3, 0), (0, 4), (0, 6), (0, 3), (3, 5), (2, 2)),
)
"""FcaNet's sixteen best frequencies on a 7 x 7 grid (vertical, horizontal), the best first."""


class DynamicHighPass(nn.Module):
    """Subtract the result of a predicted low-pass kernel, for every pixel and group of channels.

    A convolution and normalisation give the taps. A softmax makes them positive with sum 1, so a
    constant image has no high frequencies.

    Args:
        features: Channels.
        kernel_size: Side of the kernels, odd.
        groups: Groups of channels that share a kernel.

    Source:
        DFSA, following Zou, Xiao, Yu, Lee, Delving Deeper into Anti-aliasing in ConvNets,
        BMVC 2020.
    """

    def __init__(self, features: int, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.groups, self.taps = groups, kernel_size**2
        pad, taps = kernel_size // 2, groups * self.taps
        self.conv = nn.Conv2d(
            features, taps, kernel_size, padding=pad, padding_mode="replicate", bias=False
        )
        self.bn = nn.BatchNorm2d(taps)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        batch, channels, height, width = features.shape
        folded = batch * self.groups
        kernels = self.bn(self.conv(features)).reshape(folded, self.taps, height, width).softmax(1)
        # Groups become images of the batch, all channels of which share a kernel.
        grouped = features.reshape(folded, channels // self.groups, height, width)
        low = pixel_kernel_apply(grouped, kernels, padding="replicate")
        return features - low.reshape(features.shape)


class SpectralAttention(nn.Module):
    """Weigh each channel by a number in (0, 1) computed from several frequencies of all channels.

    The features are averaged to a 7 x 7 grid and projected onto cosines, in one matrix product.
    With the lowest frequency alone this is RCAN's channel attention, up to a factor.

    Args:
        features: Channels.
        reduction: Factor by which the bottleneck has fewer channels.
        num_frequencies: How many of :data:`FREQUENCIES` are used, from the first.

    Source:
        DFSA's matrix multi-spectral channel attention, after Qin, Zhang, Wu, Li, FcaNet: Frequency
        Channel Attention Networks, ICCV 2021.
    """

    basis: Tensor

    def __init__(self, features: int, reduction: int, num_frequencies: int) -> None:
        super().__init__()
        self.register_buffer("basis", cosine_basis(num_frequencies), persistent=False)
        self.conv_du = nn.Sequential(
            nn.Conv2d(num_frequencies * features, features // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(features // reduction, features, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Weigh (B, C, h, w)."""
        pooled = F.adaptive_avg_pool2d(features, GRID)
        spectrum = pooled.flatten(2) @ self.basis.to(pooled.dtype)
        return features * self.conv_du(spectrum.flatten(1)[..., None, None])


class Block(nn.Module):
    """High frequencies added, convolution, ReLU, convolution, attention, and the input added."""

    def __init__(
        self, features: int, reduction: int, num_frequencies: int, kernel_size: int, groups: int
    ) -> None:
        super().__init__()
        self.high_pass = DynamicHighPass(features, kernel_size, groups)
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1),
            SpectralAttention(features, reduction, num_frequencies),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return features + self.body(features + self.high_pass(features))


class ResidualGroup(nn.Module):
    """Blocks, a convolution, and the input added."""

    def __init__(self, features: int, blocks: list[Block]) -> None:
        super().__init__()
        self.body = nn.Sequential(*blocks, nn.Conv2d(features, features, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return features + self.body(features)


@BACKBONES.register_module()
class DFSA(Backbone):
    """RCAN with dynamic high-pass filtering and multi-spectral attention.

    **The paper specifies only these two modules, and neither code nor weights were released.** The
    defaults (3 x 3 kernels, 8 groups, 16 frequencies, reduction 16), the wiring (high frequencies
    are added before a block's first convolution) and RCAN's 10 groups of 20 blocks are guesses;
    do not expect the published results. Parameters at x4: 24,683,555.

    Args:
        scale: 2, 3, 4 or 8.
        same_size: The LR image lies on the HR grid.
        num_groups: Residual groups.
        num_blocks: Blocks per group.
        num_features: Channels.
        reduction: Factor by which the attention's bottleneck has fewer channels.
        num_frequencies: Frequencies that the attention uses, 1 to 16.
        kernel_size: Side of the high-pass filter's kernels, odd.
        filter_groups: Groups of channels that share a kernel.
        unshuffle: Factor of the pixel unshuffle at the input; None: 4 where ``same_size`` holds,
            otherwise 1. The tail's factor is ``unshuffle``, times ``scale`` where sizes differ.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w), or the same size.

    Raises:
        ConfigError: If sizes make no network.
        GeometryError: If the tail would need a factor that does not exist.

    Source:
        Abdel Magid, Zhang, Wei, Jang, Lin, Fu, Pfister, Dynamic High-Pass Filtering and
        Multi-Spectral Attention for Image Super-Resolution, ICCV 2021. Keys are realdeg's own, in
        the style of EDSR-PyTorch, which the authors built on.
    """

    colour = "rgb"
    value_range = 255.0
    scales = (2, 3, 4, 8)
    upsample = "post"
    same_size_form = "unshuffle"
    whole_image = True
    example_arguments = {
        "scale": 2,
        "num_groups": 2,
        "num_blocks": 1,
        "num_features": 8,
        "reduction": 2,
        "num_frequencies": 4,
        "filter_groups": 2,
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        num_groups: Number = 10,
        num_blocks: Number = 20,
        num_features: Number = 64,
        reduction: Number = 16,
        num_frequencies: Annotated[int, Interval(ge=1, le=len(FREQUENCIES))] = 16,
        kernel_size: OddSize = 3,
        filter_groups: Number = 8,
        unshuffle: Number | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        fold = (4 if same_size else 1) if unshuffle is None else unshuffle
        if num_features < reduction or num_features % filter_groups:
            raise ConfigError(
                "DFSA needs num_features of at least reduction and divisible by filter_groups, got"
                f" {num_features}, {reduction} and {filter_groups}."
            )
        self.unshuffle = self.size_multiple = fold
        factor = fold * (1 if same_size else scale)

        def block() -> Block:
            return Block(num_features, reduction, num_frequencies, kernel_size, filter_groups)

        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, +1)
        first = nn.Conv2d(3 * fold**2, num_features, 3, padding=1)
        self.head = nn.Sequential(*([nn.PixelUnshuffle(fold)] if fold > 1 else []), first)
        self.body = nn.Sequential(
            *(
                ResidualGroup(num_features, [block() for _ in range(num_blocks)])
                for _ in range(num_groups)
            ),
            nn.Conv2d(num_features, num_features, 3, padding=1),
        )
        self.tail = nn.Sequential(
            Upsampler(factor, num_features), nn.Conv2d(num_features, 3, 3, padding=1)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        height, width = self.output_size(*lr.shape[-2:])
        features = self.head(self.sub_mean(pad_to_multiple(lr, self.unshuffle)))
        image = self.add_mean(self.tail(features + self.body(features)))
        return image[..., :height, :width]


def cosine_basis(number: int) -> Tensor:
    """Return the first of :data:`FREQUENCIES` as cosines of norm 1, shape (49, number)."""
    place = torch.arange(GRID, dtype=torch.float64) + 0.5
    order = torch.arange(GRID, dtype=torch.float64)
    waves = torch.cos(torch.pi * order[:, None] * place / GRID) * (2 / GRID) ** 0.5
    waves[0] /= 2**0.5
    columns = [torch.outer(waves[down], waves[across]) for down, across in FREQUENCIES[:number]]
    return torch.stack(columns, -1).flatten(0, 1).float()
