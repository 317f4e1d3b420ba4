"""SRVGGNetCompact: a plain chain of convolutions, added to nearest-neighbour interpolation."""

from __future__ import annotations

from math import isqrt
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import State, colour_of, last, shape_of, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

ACTIVATIONS = ("prelu", "relu", "leakyrelu")
_NCNN = Dialect(
    "ncnn's converter",
    marks=(r"Conv_0\.weight", r"PRelu_1\.weight"),
    rename=((r"^(?:Conv|PRelu)_(\d+)\.", r"body.\1."),),
)
_last = last(r"body\.(\d+)\.weight")
_channels = size("body.0.weight", 1)


def _num_convs(state: State) -> int | None:
    number = _last(state)
    return number // 2 - 1 if number else None


def _scale(state: State) -> int | None:
    shape, channels = shape_of(state, f"body\\.{_last(state)}\\.weight"), _channels(state)
    return isqrt(shape[0] // channels) if shape and channels else None


def _activation(state: State) -> str | None:
    return "prelu" if "body.1.weight" in state and "body.0.weight" in state else None


@BACKBONES.register_module()
class SRVGGNetCompact(Backbone):
    """The compact network of Real-ESRGAN, known as Compact.

    All convolutions run on the LR grid; their output is added to the nearest-neighbour
    interpolation. With 16 hidden convolutions it has 595,459, 600,652, 609,307 and 621,424
    parameters at x1 to x4 (realesr-animevideov3), with 32 at x4 1,213,296 (realesr-general-x4v3).

    Args:
        scale: Any whole number.
        same_size: The LR image lies on the HR grid: the network of x1.
        num_features: Channels; 24 in SuperUltraCompact.
        num_convs: Convolutions between the first and the last; 8 in UltraCompact and
            SuperUltraCompact.
        activation: ``"prelu"`` (a slope for each channel), ``"relu"`` or ``"leakyrelu"``.
        colour: ``"rgb"`` or ``"y"``.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Source:
        Wang, Xie, Dong, Shan, Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
        Synthetic Data, ICCVW 2021, by its repository only; the paper does not describe it. Keys
        follow xinntao/Real-ESRGAN; those of its ncnn files are translated.
    """

    same_size_form = "native"

    dialects = (_NCNN,)
    form_readings = {
        "scale": _scale,
        "num_features": size("body.0.weight"),
        "num_convs": _num_convs,
        "activation": _activation,
        "colour": colour_of("body.0.weight", 1),
    }
    example_arguments = {"scale": 2, "num_features": 6, "num_convs": 3}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        num_features: Number = 64,
        num_convs: Number = 16,
        activation: Annotated[str, Choice(*ACTIVATIONS)] = "prelu",
        colour: Colour = "rgb",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.activation = activation
        self.factor = 1 if same_size else scale
        layers: list[nn.Module] = [nn.Conv2d(self.channels, num_features, 3, padding=1)]
        for _ in range(num_convs):
            layers.append(self._activation(num_features))
            layers.append(nn.Conv2d(num_features, num_features, 3, padding=1))
        layers.append(self._activation(num_features))
        layers.append(nn.Conv2d(num_features, self.channels * self.factor**2, 3, padding=1))
        self.body = nn.Sequential(*layers)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        # Each LR pixel is added to its HR pixels before the shuffle, which saves an image on the HR
        # grid.
        detail = self.body(lr).unflatten(1, (self.channels, self.factor**2))
        return F.pixel_shuffle((detail + lr.unsqueeze(2)).flatten(1, 2), self.factor)

    def _activation(self, features: int) -> nn.Module:
        if self.activation == "prelu":
            return nn.PReLU(features)
        return nn.LeakyReLU(0.1 if self.activation == "leakyrelu" else 0.0, inplace=True)
