"""DRRN: residual units that share their two convolutions, fifty-two layers in 297K weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import Number, Repeats, draw_he
from realdeg.backbones.readings import State, colour_of, count, has, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_further = count(r"further\.(\d+)\.input\.weight", 1)


def _blocks(state: State) -> int | None:
    return (_further(state) or 1) if "input.weight" in state else None


class RecursiveLayers:
    """The layers of a recursive block: a convolution, then units that share two more.

    A mixin, because the first block's layers belong to the network itself: the public weights have
    no prefix for it.
    """

    input: nn.Conv2d
    conv1: nn.Conv2d
    conv2: nn.Conv2d
    input_bn: nn.Module
    bn1: nn.ModuleList
    bn2: nn.ModuleList

    def make_layers(self, units: int, incoming: int, width: int, use_bn: bool, bias: bool) -> None:
        """Set the layers as attributes; the arguments are DRRN's, and the channels of the input."""

        def norms(count: int, channels: int) -> nn.ModuleList:
            kind = nn.BatchNorm2d if use_bn else nn.Identity
            return nn.ModuleList(kind(channels) for _ in range(count))

        self.input = nn.Conv2d(incoming, width, 3, padding=1, bias=bias)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.input_bn = nn.BatchNorm2d(incoming) if use_bn else nn.Identity()
        self.bn1, self.bn2 = norms(units, width), norms(units, width)

    def run_layers(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W); every unit adds to the first convolution's output."""
        head = self.input(torch.relu(self.input_bn(features)))
        features = head
        for first, second in zip(self.bn1, self.bn2, strict=True):
            inner = self.conv1(torch.relu(first(features)))
            features = self.conv2(torch.relu(second(inner))) + head
        return features


class RecursiveBlock(RecursiveLayers, nn.Module):
    """The second or a later recursive block; the arguments are DRRN's.

    Source:
        DRRN, equations 4 to 6.
    """

    def __init__(self, units: int, width: int, use_bn: bool, bias: bool) -> None:
        super().__init__()
        self.make_layers(units, width, width, use_bn, bias)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.run_layers(features)


@BACKBONES.register_module()
class DRRN(RecursiveLayers, Backbone):
    """Deep recursive residual network, B1U25: one block of 25 units, 52 layers.

    Works on the interpolated image and adds a residual. All convolutions follow batch
    normalisation and ReLU. All units share their two convolutions, but not their normalisations.
    297,216 parameters without biases and normalisation (the paper's way of counting), 297,601 with
    biases, and 13,058 more with normalisation (4,866 with 9 units).

    The paper's network has normalisation; the popular public weights were trained without it and
    without biases: ``DRRN(use_bn=False, bias=False)``.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        blocks: Recursive blocks (the paper's B).
        units: Units in each block (the paper's U).
        width: Channels.
        use_bn: Whether batch normalisation precedes every convolution.
        bias: Whether convolutions have biases.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Tai, Yang, Liu, Image Super-Resolution via Deep Recursive Residual Network, CVPR 2017
        (tyshiwo/DRRN_CVPR17). Keys follow the public weights of jt827859032/DRRN-pytorch.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    form_readings = {
        "blocks": _blocks,
        "units": count(r"bn1\.(\d+)\.weight"),
        "width": size("input.weight"),
        "use_bn": has("output_bn.weight", given="output.weight"),
        "bias": has("output.bias", given="output.weight"),
        "colour": colour_of("output.weight", 0),
    }
    example_arguments = {"scale": 2, "units": 2, "width": 6, "use_bn": False, "bias": False}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        blocks: Number = 1,
        units: Repeats = 25,
        width: Number = 128,
        use_bn: bool = True,
        bias: bool = True,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.use_bn = use_bn
        self.make_layers(units, self.channels, width, use_bn, bias)
        self.further = nn.Sequential(
            *(RecursiveBlock(units, width, use_bn, bias) for _ in range(blocks - 1))
        )
        self.output_bn = nn.BatchNorm2d(width) if use_bn else nn.Identity()
        self.output = nn.Conv2d(width, self.channels, 3, padding=1, bias=bias)
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the interpolated image (B, C, H, W) in [0, 1]."""
        features = self.further(self.run_layers(lr))
        return lr + self.output(torch.relu(self.output_bn(features)))
