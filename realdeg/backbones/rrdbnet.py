"""RRDBNet: the generator of ESRGAN and Real-ESRGAN."""

from __future__ import annotations

import re
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import MMAGIC, Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.backbones.parts.edsr import draw_small
from realdeg.backbones.readings import State, colour_of, count, doublings, last, shape_of, size
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_ESRGAN_PLUS = Dialect(
    "ESRGAN+",
    marks=(r".*\.conv1x1\..*",),
    refused="of ESRGAN+, whose dense blocks have one more convolution: RRDBNet is ESRGAN's.",
)
_ESRGAN = Dialect(
    "the ESRGAN repository, BSRGAN and RealSR",
    marks=(r"trunk_conv\.weight",),
    rename=(
        (r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
        (r"^trunk_conv\.", "conv_body."),
        (r"^upconv(\d+)\.", r"conv_up\1."),
        (r"^HRconv\.", "conv_hr."),
    ),
)
# Its names count the layers of a sequence.
_OLD_ESRGAN = Dialect(
    "ESRGAN's older architecture",
    marks=(r"model\.0\.weight",),
    counts={"last": last(r"model\.(\d+)\..*"), "hr": last(r"model\.(\d+)\..*", -2)},
    rename=(
        (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
        (r"^model\.1\.sub\.\d+\.(weight|bias)$", r"conv_body.\1"),
        (r"^model\.0\.", "conv_first."),
        (r"^model\.{last}\.", "conv_last."),
        (r"^model\.{hr}\.", "conv_hr."),
        *((rf"^model\.{3 * step}\.", f"conv_up{step}.") for step in range(1, 7)),
    ),
)


def _from_ncnn(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name convolutions by their order, which is that of the forward pass."""
    layers = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    shapes = [shape_of(state, re.escape(f"{layer}.weight")) for layer in layers]
    # The first convolution behind the blocks is the first that keeps the number of channels.
    same = (index for index, shape in enumerate(shapes) if index and shape[:1] == shape[1:2])
    body = next(same, 0) - 1
    after = len(layers) - body - 2
    if body < 1 or body % 15 or after < 2:
        raise ValueError("are not of blocks of fifteen convolutions and an upsampler: no RRDBNet.")
    names = ["conv_first"]
    for block in range(body // 15):
        names += [f"body.{block}.rdb{part}.conv{k}" for part in (1, 2, 3) for k in range(1, 6)]
    names += ["conv_body", *(f"conv_up{step}" for step in range(1, after - 1))]
    new = dict(zip(layers, [*names, "conv_hr", "conv_last"], strict=True))
    return {
        f"{new[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": t for name, t in state.items()
    }


_NCNN = Dialect(
    "ncnn's converter",
    marks=(r"Conv_0\.weight",),
    lacks=(r"PRelu_\d+\.weight",),
    convert=_from_ncnn,
)
_factor = doublings(r"conv_up(\d+)\.weight")


def _unshuffle(state: State) -> int | None:
    first, image = shape_of(state, "conv_first.weight"), shape_of(state, "conv_last.weight")
    return isqrt(first[1] // max(image[0], 1)) if first and image else None


def _scale(state: State) -> int | None:
    fold, factor = _unshuffle(state), _factor(state) or 1
    return factor // fold if fold else None


class DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it, scaled, and the input added.

    Args:
        features: Channels in and out.
        growth: Channels that each of the first four adds.

    Source:
        ESRGAN, figure 4.
    """

    conv5: nn.Module

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            width = features + (number - 1) * growth
            grown = growth if number < 5 else features
            self.add_module(f"conv{number}", nn.Conv2d(width, grown, 3, padding=1))
        draw_small(self)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        seen = features
        for number in range(1, 5):
            added = _leaky(self.get_submodule(f"conv{number}")(seen))
            seen = torch.cat([seen, added], 1)
        return torch.add(features, self.conv5(seen), alpha=0.2)


class ResidualInResidual(nn.Module):
    """Three dense blocks, scaled, and the input added."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return torch.add(features, self.rdb3(self.rdb2(self.rdb1(features))), alpha=0.2)


@BACKBONES.register_module()
class RRDBNet(Backbone):
    """Network of residual-in-residual dense blocks.

    It works at a quarter of the output's size: for x2, x1 and LR of HR's size the input is
    first rearranged (pixel unshuffle by 2 or 4), as in Real-ESRGAN. With 23 blocks it has
    16,697,987 parameters at x4, 16,703,171 at x2 and 16,723,907 at x1; with 6 (anime_6B)
    4,467,779 at x4.

    Args:
        scale: 1, 2, 4 or 8.
        same_size: The LR image lies on the HR grid.
        num_features: Channels.
        num_blocks: Blocks.
        growth: Channels that each dense convolution adds.
        colour: ``"rgb"`` or ``"y"``.
        unshuffle: Factor of the pixel unshuffle at the input; None: the one that leaves a
            factor of 4 between features and output, 1 at x8. Older community models have 1.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        GeometryError: If features and output are not a power of two apart.

    Source:
        Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, ECCVW
        2018; the unshuffled forms from Wang et al., Real-ESRGAN, ICCVW 2021. Keys follow BasicSR;
        those of the ESRGAN repository, of its older architecture and of ncnn files are translated.
    """

    scales: tuple[int, ...] | None = (1, 2, 4, 8)
    same_size_form = "unshuffle"

    dialects = (MMAGIC, _ESRGAN_PLUS, _OLD_ESRGAN, _ESRGAN, _NCNN)
    form_readings = {
        "scale": _scale,
        "unshuffle": _unshuffle,
        "num_features": size("conv_first.weight"),
        "num_blocks": count(r"body\.(\d+)\.rdb1\.conv1\.weight"),
        "growth": size("body.0.rdb1.conv1.weight"),
        "colour": colour_of("conv_last.weight", 0),
    }
    example_arguments = {"scale": 4, "num_features": 4, "num_blocks": 1, "growth": 2}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        num_features: Number = 64,
        num_blocks: Number = 23,
        growth: Number = 32,
        colour: Colour = "rgb",
        unshuffle: Number | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        gain = 1 if same_size else scale
        fold = max(1, 4 // gain) if unshuffle is None else unshuffle
        factor = fold * gain
        if factor & (factor - 1):
            raise GeometryError(
                f"RRDBNet doubles its features' size in steps, but unshuffle={fold} leaves a factor"
                f" of {factor}: use a power of two."
            )
        self.unshuffle = self.size_multiple = fold
        self.steps = factor.bit_length() - 1
        self.conv_first = nn.Conv2d(self.channels * fold**2, num_features, 3, padding=1)
        self.body = nn.Sequential(
            *(ResidualInResidual(num_features, growth) for _ in range(num_blocks))
        )
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        for step in range(1, self.steps + 1):
            self.add_module(f"conv_up{step}", nn.Conv2d(num_features, num_features, 3, padding=1))
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, self.channels, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        height, width = self.output_size(*lr.shape[-2:])
        image = pad_to_multiple(lr, self.unshuffle)
        if self.unshuffle > 1:
            image = F.pixel_unshuffle(image, self.unshuffle)
        features = self.conv_first(image)
        features = self.conv_body(self.body(features)).add(features)
        for step in range(1, self.steps + 1):
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = _leaky(self.get_submodule(f"conv_up{step}")(features))
        return self.conv_last(_leaky(self.conv_hr(features)))[..., :height, :width]


def _leaky(features: Tensor) -> Tensor:
    return F.leaky_relu(features, 0.2, inplace=True)
