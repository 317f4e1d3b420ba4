"""DBPN: up- and down-projections that correct each other, densely connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number, Repeats, initialise
from realdeg.backbones.parts.pyramid import PROJECTIONS, pil_bicubic
from realdeg.backbones.readings import State, count, presets, shape_of, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale


@dataclass(frozen=True)
class Preset:
    """One of the released networks.

    Attributes:
        stages: Up-projections; there is one down-projection less.
        iterations: Runs of the trunk, with shared weights.
        residual: Whether the bicubic image is added.
    """

    stages: int
    iterations: int = 1
    residual: bool = False


PRESETS: dict[str, Preset] = {
    "dbpn": Preset(7),
    "dbpns": Preset(2),
    "dbpnll": Preset(10),
    "dbpn_res_mr64_3": Preset(7, iterations=3, residual=True),
}


class ConvBlock(nn.Module):
    """A convolution and, if ``activate``, a PReLU of one slope."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding)
        self.act = nn.PReLU() if activate else None

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        features = self.conv(features)
        return features if self.act is None else self.act(features)


class DeconvBlock(nn.Module):
    """A transposed convolution and a PReLU of one slope."""

    def __init__(self, channels: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(channels, channels, kernel, stride, padding)
        self.act = nn.PReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return self.act(self.deconv(features))


class UpUnit(nn.Module):
    """Project up, back down, and correct the result by the error.

    Args:
        channels: Channels in and out.
        scale: The factor.
        inputs: Number of input feature maps; several are reduced to ``channels`` first.

    Source:
        DBPN, equations 1 to 5.
    """

    def __init__(self, channels: int, scale: int, inputs: int) -> None:
        super().__init__()
        shape = PROJECTIONS[scale]
        self.conv = ConvBlock(inputs * channels, channels, 1) if inputs > 1 else None
        self.up_conv1 = DeconvBlock(channels, *shape)
        self.up_conv2 = ConvBlock(channels, channels, *shape)
        self.up_conv3 = DeconvBlock(channels, *shape)

    def forward(self, low: Tensor) -> Tensor:
        """Enlarge (B, C, h, w)."""
        if self.conv is not None:
            low = self.conv(low)
        high = self.up_conv1(low)
        # PReLU saves its input, not its output, so both sums may be in place.
        error = self.up_conv2(high).sub_(low)
        return self.up_conv3(error).add_(high)


class DownUnit(nn.Module):
    """Project down, back up, and correct the result by the error; arguments as for UpUnit.

    Source:
        DBPN, equations 6 to 10.
    """

    def __init__(self, channels: int, scale: int, inputs: int) -> None:
        super().__init__()
        shape = PROJECTIONS[scale]
        self.conv = ConvBlock(inputs * channels, channels, 1) if inputs > 1 else None
        self.down_conv1 = ConvBlock(channels, channels, *shape)
        self.down_conv2 = DeconvBlock(channels, *shape)
        self.down_conv3 = ConvBlock(channels, channels, *shape)

    def forward(self, high: Tensor) -> Tensor:
        """Shrink (B, C, H, W)."""
        if self.conv is not None:
            high = self.conv(high)
        low = self.down_conv1(high)
        error = self.down_conv2(low).sub_(high)
        return self.down_conv3(error).add_(low)


_stages = count(r"up(\d+)\.up_conv1\.deconv\.weight")


def _iterations(state: State) -> int | None:
    """Tell from the last convolution's input: every stage, or the results of several runs."""
    seen, width = (shape_of(state, f"{name}.conv.weight") for name in ("output_conv", "feat1"))
    if not seen or not width:
        return None
    runs = seen[1] // max(width[0], 1)
    return 1 if runs == _stages(state) else runs


def _scale(state: State) -> int | None:
    shape = shape_of(state, "up1.up_conv1.deconv.weight")
    kernels = {kernel: scale for scale, (kernel, _, _) in PROJECTIONS.items()}
    return kernels.get(shape[-1]) if shape else None


@BACKBONES.register_module()
class DBPN(Backbone):
    """Deep back-projection network.

    Parameters at x2, x4, x8: D-DBPN (``dbpn``) 5,953,526, 10,426,358, 23,205,878; ``dbpnll``
    8,811,086, 15,348,302, 34,026,062; ``dbpns`` 1,354,766, 2,386,958, 5,336,078;
    ``dbpn_res_mr64_3`` 5,946,614, 10,419,446, 23,198,966.

    Args:
        scale: 2, 4 or 8.
        preset: ``"dbpn"`` (D-DBPN, 7 up-projections), ``"dbpns"`` (2), ``"dbpnll"`` (10) or
            ``"dbpn_res_mr64_3"`` (7, run three times with the same weights, with the bicubic image
            added).
        stages: Up-projections, 2 or more; None: the preset's.
        num_features: Channels of the projections.
        stem_features: Channels of the first convolution.
        iterations: Runs of the trunk; from 2 on, the last convolution sees their results instead
            of all up-projections. None: the preset's.
        residual: Whether the bicubic (PIL's) image is added; None: the preset's. The released
            plain networks have none.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Haris, Shakhnarovich, Ukita, Deep Back-Projection Networks for Super-Resolution, CVPR 2018,
        and Deep Back-Projection Networks for Single Image Super-Resolution, TPAMI 2020 (RES-MR).
        Keys follow alterzero/DBPN-Pytorch.
    """

    colour = "rgb"
    scales = (2, 4, 8)
    upsample = "iterative"

    form_readings = {
        "scale": _scale,
        "stages": _stages,
        "iterations": _iterations,
        "num_features": size("feat1.conv.weight"),
        "stem_features": size("feat0.conv.weight"),
    }
    form_presets = presets(PRESETS, "stages", "iterations")
    example_arguments = {"scale": 2, "stages": 3, "num_features": 3, "stem_features": 4}

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "dbpn",
        stages: Number | None = None,
        num_features: Number = 64,
        stem_features: Number = 256,
        iterations: Repeats | None = None,
        residual: bool | None = None,
    ) -> None:
        super().__init__(scale=scale)
        chosen = PRESETS[preset]
        self.stages = chosen.stages if stages is None else stages
        self.iterations = chosen.iterations if iterations is None else iterations
        self.residual = chosen.residual if residual is None else residual
        fewest = 2 if self.iterations == 1 else 3
        if self.stages < fewest:
            raise ConfigError(
                f"DBPN with {self.iterations} iterations has {self.stages} stages: it needs"
                f" {fewest} or more."
            )
        self.feat0 = ConvBlock(3, stem_features, 3, padding=1)
        self.feat1 = ConvBlock(stem_features, num_features, 1)
        # The second up-projection sees the first down-projection only; later ones see all.
        for stage in range(1, self.stages + 1):
            self.add_module(f"up{stage}", UpUnit(num_features, scale, max(stage - 1, 1)))
            if stage < self.stages:
                self.add_module(f"down{stage}", DownUnit(num_features, scale, stage))
        seen = self.stages if self.iterations == 1 else self.iterations
        self.output_conv = ConvBlock(seen * num_features, 3, 3, padding=1, activate=False)
        initialise(self, nn.init.kaiming_normal_)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        low = self.feat1(self.feat0(lr))
        if self.iterations == 1:
            highs, _ = self._run(low)
        else:
            highs = []
            for _ in range(self.iterations):
                found, low = self._run(low)
                highs.append(found[0])
        image = self.output_conv(torch.cat(highs, 1))
        return image + pil_bicubic(lr, self.scale) if self.residual else image

    def _run(self, low: Tensor) -> tuple[list[Tensor], Tensor]:
        """Run the trunk and return all up-projections, newest first, and the last down one."""
        highs = [self.get_submodule("up1")(low)]
        lows: list[Tensor] = []
        for stage in range(2, self.stages + 1):
            lows.insert(0, self.get_submodule(f"down{stage - 1}")(_join(highs)))
            highs.insert(0, self.get_submodule(f"up{stage}")(_join(lows)))
        return highs, lows[0]


def _join(maps: list[Tensor]) -> Tensor:
    return maps[0] if len(maps) == 1 else torch.cat(maps, 1)
