"""REDNet: an encoder of convolutions, a decoder of transposed convolutions, and skips."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import MOST, Number, draw_he
from realdeg.backbones.readings import State, colour_of, count, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_half = count(r"conv_layers\.(\d+)\.weight")


def _depth(state: State) -> int | None:
    half = _half(state)
    return 2 * half if half else None


@BACKBONES.register_module()
class REDNet(Backbone):
    """Residual encoder-decoder, RED30: fifteen convolutions and fifteen transposed ones.

    Everything runs at the size of the interpolated image, which is added at the end. Every second
    convolution's features are added to those of the transposed convolution that mirrors it,
    before its ReLU. 4,134,785 parameters at width 128 (4,131,072 without biases, as published)
    and 1,035,201 at width 64, the number in the paper's text.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        depth: Layers, an even number; half are convolutions, half transposed convolutions.
        width: Channels.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Mao, Shen, Yang, Image Restoration Using Very Deep Convolutional Encoder-Decoder Networks
        with Symmetric Skip Connections, NIPS 2016. No PyTorch weights for super-resolution are
        known; the keys are ours.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    dialects = (
        Dialect(
            "the public network for JPEG artefacts",  # its outer layers have stride 2
            marks=(r"conv_layers\.0\.0\.weight",),
            refused="of the public REDNet for JPEG artefacts, which halves the image; the one for"
            " super-resolution keeps its size.",
        ),
    )
    form_readings = {
        "depth": _depth,
        "width": size("conv_layers.0.weight"),
        "colour": colour_of("conv_layers.0.weight", 1),
    }
    example_arguments = {"scale": 2, "depth": 10, "width": 6}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        depth: Annotated[int, Interval(ge=2, le=MOST), MultipleOf(2)] = 30,
        width: Number = 128,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        half = depth // 2
        sizes = [self.channels, *[width] * half]
        pairs = list(zip(sizes, sizes[1:], strict=False))
        self.conv_layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairs)
        self.deconv_layers = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 3, padding=1) for a, b in reversed(pairs)
        )
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the interpolated image (B, C, H, W) in [0, 1]."""
        half = len(self.conv_layers)
        features, kept = lr, {}
        for number, layer in enumerate(self.conv_layers, start=1):
            features = torch.relu(layer(features))
            if number % 2 == 0 and number < half:
                kept[number] = features
        for number, layer in enumerate(self.deconv_layers, start=1):
            features = layer(features)
            if half - number in kept:
                features = features + kept.pop(half - number)
            if number < half:
                features = torch.relu(features)
        return lr + features
