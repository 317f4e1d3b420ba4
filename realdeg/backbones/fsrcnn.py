"""FSRCNN: a narrow network on the LR image and a transposed convolution."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import State, colour_of, last, presets, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale, Whole

# Features d, shrunk features s, mapping layers m.
PRESETS: dict[str, tuple[int, int, int]] = {"fsrcnn": (56, 12, 4), "fsrcnn_s": (32, 5, 1)}


_WIDEST = 1024  # channels up to which grey is tried
_last = last(r"mid_part\.(\d+)\.weight")


def _mapping(state: State) -> int | None:
    number = _last(state)
    return number // 2 - 2 + number % 2 if number else None


def _scale(state: State) -> int | None:
    """Read the scale from the response to grey, as no shape depends on it.

    A trained network maps mid-grey to mid-grey at the scale that it was trained for, and to stripes
    of varying brightness at others.
    """
    image, end = size("first_part.0.weight", 1)(state), size("last_part.weight", 1)(state)
    widest = max((value.shape[0] for value in state.values() if value.ndim), default=0)
    if image != end or image not in (1, 3) or widest > _WIDEST:
        return None
    try:
        errors = {scale: _grey_error(state, scale) for scale in (2, 3, 4)}
    except (LookupError, RuntimeError):  # no such network
        return None
    likely = [scale for scale, error in errors.items() if error <= 0.1]
    return likely[0] if len(likely) == 1 and errors[likely[0]] < 0.03 else None


def _grey_error(state: State, scale: int) -> float:
    """Return the largest deviation from grey in the response to grey."""
    first = state["first_part.0.weight"]
    image = torch.full((1, first.shape[1], 25, 25), 0.5)
    end = _last(state) or 0
    for name in ["first_part.0", *(f"mid_part.{k}" for k in range(0, end, 2))]:
        part, _, number = name.partition(".")
        weight, bias = (state[f"{name}.{kind}"].float() for kind in ("weight", "bias"))
        image = F.conv2d(image, weight, bias, padding=weight.shape[-1] // 2)
        image = F.prelu(image, state[f"{part}.{int(number) + 1}.weight"].float())
    weight, bias = (state[f"last_part.{kind}"].float() for kind in ("weight", "bias"))
    image = F.conv_transpose2d(image, weight, bias, scale, 4, scale - 1)
    middle = slice(10 * scale, 15 * scale)
    return float((image[..., middle, middle] - 0.5).abs().max())


@BACKBONES.register_module()
class FSRCNN(Backbone):
    """Fast super-resolution network: extract, shrink, map, expand, deconvolve.

    12,809 parameters at every scale (12,464 without biases and PReLUs, as the paper counts), the
    small form 4,086 (3,937). The scale changes only the meaning of the last layer, never a shape.

    Args:
        scale: 2, 3 or 4.
        preset: ``"fsrcnn"`` (56, 12, 4) or ``"fsrcnn_s"`` (32, 5, 1).
        features: Channels of the first and last layers (d); None: the preset's.
        shrunk: Channels of the mapping layers (s); None: the preset's.
        mapping: Mapping layers (m); None: the preset's.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w)

    Source:
        Dong, Loy, Tang, Accelerating the Super-Resolution Convolutional Neural Network, ECCV 2016.
        Keys and initialisation follow yjn870/FSRCNN-pytorch.
    """

    colour: Colour = "y"
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    form_readings = {
        "features": size("first_part.0.weight"),
        "shrunk": size("mid_part.0.weight"),
        "mapping": _mapping,
        "colour": colour_of("first_part.0.weight", 1),
    }
    meaning_readings = {"scale": _scale}
    form_presets = presets(PRESETS, features=0, shrunk=1, mapping=2)
    example_arguments = {"scale": 2, "features": 6, "shrunk": 3, "mapping": 2}

    def __init__(
        self,
        scale: Scale = 4,
        preset: Annotated[str, Choice(*PRESETS)] = "fsrcnn",
        features: Number | None = None,
        shrunk: Number | None = None,
        mapping: Whole | None = None,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, colour=colour)
        own = PRESETS[preset]
        wide, narrow, depth = (
            default if given is None else given
            for given, default in zip((features, shrunk, mapping), own, strict=True)
        )
        # Output pixel o of the deconvolution sees the input pixels i with |o - scale*i| <= 4.
        self.first_part = nn.Sequential(
            nn.Conv2d(self.channels, wide, 5, padding=2), nn.PReLU(wide)
        )
        layers: list[nn.Module] = [nn.Conv2d(wide, narrow, 1), nn.PReLU(narrow)]
        for _ in range(depth):
            layers += [nn.Conv2d(narrow, narrow, 3, padding=1), nn.PReLU(narrow)]
        self.mid_part = nn.Sequential(*layers, nn.Conv2d(narrow, wide, 1), nn.PReLU(wide))
        self.last_part = nn.ConvTranspose2d(
            wide, self.channels, 9, scale, padding=4, output_padding=scale - 1
        )
        self._initialise()

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        return self.last_part(self.mid_part(self.first_part(lr)))

    def _initialise(self) -> None:
        """Initialise convolutions after He et al. (fan-out), the last layer small, biases zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.weight[0, 0].numel()
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.last_part.weight, std=0.001)
        nn.init.zeros_(self.last_part.bias)  # type: ignore[arg-type]
