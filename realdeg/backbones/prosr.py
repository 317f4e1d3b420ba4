"""ProSR: a pyramid of dense blocks that is trained from x2 to x8, level by level."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval, MinLen
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import DIV2K_MEAN
from realdeg.backbones.parts.pyramid import pil_bicubic
from realdeg.backbones.parts.reflect import CompressionConv, ReflectConv
from realdeg.backbones.readings import State, doublings, presets, size
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

# The standard deviation that the released weights were trained with: one 8-bit step.
STD = 0.0039215

# Fractions of the training: x4 starts to blend in, has done so; x8 starts, has done so; the end.
GROWING_STEPS: tuple[float, ...] = (0.12, 0.25, 0.45, 0.6, 1.0)


@dataclass(frozen=True)
class Preset:
    """One of the paper's networks.

    Attributes:
        features: Channels after the first convolution.
        growth: Channels that a dense layer adds.
        blocks: Layers of each dense block, per level.
        residual: Whether blocks and levels add their input (ProSR).
        block_compression: Fraction of channels kept between blocks without residuals.
    """

    features: int
    growth: int
    blocks: tuple[tuple[int, ...], ...]
    residual: bool
    block_compression: float = 0.4


PRESETS: dict[str, Preset] = {
    "prosr": Preset(160, 40, ((8,) * 9, (8,) * 3, (8,)), True),
    "prosrs": Preset(24, 12, ((6,) * 4, (6,) * 2, (6,)), False),
}
_LARGER = Dialect(
    "a network of a larger scale", spare=r"(init_conv|pyramid_residual|reconst)_\d+.*"
)


def _blocks(state: State) -> list[list[int]] | None:
    """Count the layers of each dense block on each level."""
    found: dict[int, dict[int, int]] = {}
    for name in state:
        layer = re.fullmatch(
            r"pyramid_residual_(\d+)\.\w*?denseblock_(\d+)\..*denselayer\d+\.conv_1\.weight", name
        )
        if layer:
            level = found.setdefault(int(layer[1]), {})
            level[int(layer[2])] = level.get(int(layer[2]), 0) + 1
    return [[level[n] for n in sorted(level)] for _, level in sorted(found.items())] or None


class DenseLayer(nn.Module):
    """1x1 convolution, ReLU, 3x3 convolution; the result is appended to the input's channels."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(channels, 4 * growth, 1)
        self.conv_2 = ReflectConv(4 * growth, growth)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        added = self.conv_2(F.relu(self.conv_1(features), inplace=True))
        return torch.cat([features, added], 1)


class DenseBlock(nn.Sequential):
    """Dense layers, each of which adds ``growth`` channels."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__(
            OrderedDict(
                (f"denselayer{i + 1}", DenseLayer(channels + i * growth, growth))
                for i in range(layers)
            )
        )


class ResidualDenseBlock(nn.Module):
    """A dense block, compressed to the width of its input; a fifth of it is added to the input."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.dense_block = DenseBlock(channels, growth, layers)
        self.comp = CompressionConv(channels + layers * growth, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return torch.add(features, self.comp(self.dense_block(features)), alpha=0.2)


class Doubling(nn.Module):
    """Convolution, pixel shuffle by 2, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.m = nn.Sequential(
            ReflectConv(channels, 4 * channels), nn.PixelShuffle(2), nn.ReLU(inplace=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Double (B, C, h, w)."""
        return self.m(features)


@BACKBONES.register_module()
class ProSR(Backbone):
    """Fully progressive super-resolution network.

    An asymmetric pyramid of dense blocks, added to PIL's bicubic image. The network of scale 8
    serves 2 and 4 too: each call may name its scale (``network(lr, scale=2)``). Parameters of
    ProSR with levels up to x2, x4, x8: 9,470,403, 13,427,206, 15,537,609; of ProSRs 849,047,
    1,671,560, 2,550,191 as released, and 3,148,352 (x8) with ``block_compression=0.5``, the
    paper's 3.1M. Weights of a larger scale load too; their higher levels are ignored.

    Training goes from x2 upwards: :meth:`set_progress` blends the newest scale in, and
    :meth:`grow` makes the next larger network from a trained one.

    Args:
        scale: The largest scale, and that of calls that name none: 2, 4 or 8.
        preset: ``"prosr"`` or the small ``"prosrs"``.
        num_features: Channels after the first convolution; None: the preset's.
        growth_rate: Channels that a dense layer adds; None: the preset's.
        blocks: Layers of each dense block, per level from x2 to x8; None: the preset's.
        block_compression: Fraction of channels kept between blocks; None: the preset's.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``blocks`` has fewer levels than the scale needs.

    Source:
        Wang, Perazzi, McWilliams, Sorkine-Hornung, Sorkine-Hornung, Schroers, A Fully Progressive
        Approach to Single-Image Super-Resolution, CVPRW 2018. Keys follow fperazzi/proSR.
    """

    scales = (2, 4, 8)
    upsample = "progressive"
    mean: Tensor

    dialects = (_LARGER,)
    form_readings = {
        "scale": doublings(r"pyramid_residual_(\d+)\..*"),
        "blocks": _blocks,
        "num_features": size("init_conv_1.conv.1.weight"),
        "growth_rate": size(r"pyramid_residual_1\..*\.denselayer1\.conv_2\.conv\.1\.weight"),
    }
    form_presets = presets(PRESETS, num_features="features", growth_rate="growth")
    form_subset = ("scale", "blocks")
    example_arguments = {"scale": 2, "num_features": 6, "growth_rate": 3, "blocks": [[2], [1], [1]]}

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "prosr",
        num_features: Number | None = None,
        growth_rate: Number | None = None,
        blocks: Sequence[Annotated[Sequence[Number], MinLen(1)]] | None = None,
        block_compression: Annotated[float, Interval(gt=0, le=1)] | None = None,
    ) -> None:
        super().__init__(scale=scale)
        chosen = PRESETS[preset]
        features = chosen.features if num_features is None else num_features
        growth = chosen.growth if growth_rate is None else growth_rate
        layers = chosen.blocks if blocks is None else blocks
        kept = chosen.block_compression if block_compression is None else block_compression
        self.levels = scale.bit_length() - 1
        self.served = self.scales[: self.levels]
        if len(layers) < self.levels:
            raise ConfigError(
                f"blocks of ProSR has {len(layers)} levels, but scale {scale} needs {self.levels}:"
                " list the layers of each dense block for every level from x2 up."
            )
        self.residual = chosen.residual
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.newest, self.blend = scale, 1.0
        for level in range(1, self.levels + 1):
            self.add_module(f"init_conv_{level}", ReflectConv(3, features))
        channels = features
        for level, numbers in enumerate(layers[: self.levels], start=1):
            channels = self._add_level(level, channels, growth, numbers, kept)

    def _add_level(
        self, level: int, channels: int, growth: int, numbers: Sequence[int], kept: float
    ) -> int:
        """Build a level and return its channels."""
        pyramid: OrderedDict[str, nn.Module] = OrderedDict()
        if level > 1:
            width = channels if self.residual else int(0.5 * channels)
            pyramid[f"compression_{level - 1}"] = CompressionConv(channels, width)
            channels = width
        for block, layers in enumerate(numbers, start=1):
            if self.residual:
                name, part = "residual_denseblock", ResidualDenseBlock(channels, growth, layers)
                pyramid[f"{name}_{block}"] = part
                continue
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            parts["dense"] = DenseBlock(channels, growth, layers)
            channels += layers * growth
            if block < len(numbers):
                parts["comp"] = CompressionConv(channels, int(kept * channels))
                channels = int(kept * channels)
            pyramid[f"denseblock_{block}"] = nn.Sequential(parts)
        pyramid["final_conv"] = _named("final_conv", ReflectConv(channels, channels))
        self.add_module(f"pyramid_residual_{level}", nn.Sequential(pyramid))
        self.add_module(f"pyramid_residual_{level}_residual_upsampler", Doubling(channels))
        self.add_module(f"reconst_{level}", _named("final_conv", ReflectConv(channels, 3)))
        return channels

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1] by any scale up to the network's."""
        factor = self.scale if scale is None else int(scale)
        last = factor.bit_length() - 1
        blending = self.blend != 1.0 and factor == self.newest and last > 1
        features = self.get_submodule(f"init_conv_{last}")((lr - self.mean) / STD)
        below: Tensor | None = None
        for level in range(1, last + 1):
            made = self.get_submodule(f"pyramid_residual_{level}")(features)
            features = made.add_(features) if self.residual else made
            features = self.get_submodule(f"pyramid_residual_{level}_residual_upsampler")(features)
            if blending and level == last - 1:
                below = self.get_submodule(f"reconst_{level}")(features)
        residual = self.get_submodule(f"reconst_{last}")(features)
        if below is not None:
            # Corner pixels stay on corner pixels, as the authors blend.
            below = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=True)
            residual = torch.lerp(below.to(residual), residual, self.blend)
        # The network runs on (image - mean) / STD, and interpolation keeps constants.
        return torch.add(pil_bicubic(lr, factor), residual, alpha=STD)

    def set_progress(self, progress: float) -> tuple[int, ...]:
        """Set the state of the curriculum.

        Until 12 % of the training there is x2 only; x4 is blended in until 25 %, x8 from 45 % to
        60 %. The newest scale's residual is mixed with the enlarged residual of the level below.

        Args:
            progress: Completed fraction of the training, 0 to 1.

        Returns:
            The scales to draw from, uniformly and per batch.
        """
        index = (bisect_left(GROWING_STEPS, progress) + 1) // 2
        index = min(index, self.levels - 1)
        self.newest, self.blend = self.scales[index], 1.0
        if index:
            first, last = GROWING_STEPS[2 * index - 2 : 2 * index]
            self.blend = min((progress - first) / (last - first), 1.0)
        return self.scales[: index + 1]

    def grow(self) -> ProSR:
        """Return a network of twice the scale that starts from this one.

        Every weight is kept. The new scale's first convolution starts as a copy of the last one,
        and ``blend`` is 0: the grown network's residual is this one's, enlarged bilinearly.

        Returns:
            The larger network; raise its ``blend`` to 1, by :meth:`set_progress` or by hand.

        Raises:
            GeometryError: If this one is the largest.
        """
        if self.scale == self.scales[-1]:
            raise GeometryError(f"ProSR of scale {self.scale} does not grow: it is the largest.")
        grown = type(self)(**{**self.arguments, "scale": 2 * self.scale})
        parameter = next(self.parameters())
        grown = grown.to(device=parameter.device, dtype=parameter.dtype).train(self.training)
        state = self.state_dict()
        first = f"init_conv_{self.levels}."
        state |= {
            name.replace(first, f"init_conv_{self.levels + 1}."): value
            for name, value in state.items()
            if name.startswith(first)
        }
        grown.load_state_dict({**grown.state_dict(), **state})
        grown.blend = 0.0
        return grown


def _named(name: str, module: nn.Module) -> nn.Sequential:
    """Wrap a module under a name, as in the released weights."""
    return nn.Sequential(OrderedDict([(name, module)]))
