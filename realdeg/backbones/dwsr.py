"""DWSR: predicts a residual to the wavelet bands of the interpolated image."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.wavelet import even
from realdeg.backbones.readings import colour_of, count, size
from realdeg.degradations.primitives.wavelets import haar, inverse_haar
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_TENSORFLOW = Dialect(
    "tT0NG/DWSRx4, in TensorFlow",
    marks=(r"conv_\d+_w",),
    rename=((r"^(conv_\d+)_w$", r"\1.weight"), (r"^(conv_\d+)_b$", r"\1.bias")),
    axes=(3, 2, 0, 1),
)


@BACKBONES.register_module()
class DWSR(Backbone):
    """Deep wavelet super-resolution: twelve convolutions on the bands of one Haar level.

    378,052 parameters in Y. The paper's loss compares bands; as the transform is orthonormal, it
    equals the mean squared error of images with even sides.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        depth: Convolutions between the first and the last.
        width: Channels.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Guo, Mousavi, Vu, Monga, Deep Wavelet Prediction for Image Super-resolution, CVPRW 2017.
        Keys follow the variables of tT0NG/DWSRx4 (TensorFlow), whose names and layout load too.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"
    size_multiple = 2

    dialects = (_TENSORFLOW,)
    form_readings = {
        "depth": count(r"conv_(\d+)\.weight", -2),
        "width": size("conv_00.weight"),
        "colour": colour_of("conv_00.weight", 1, 4),
    }
    example_arguments = {"scale": 2, "depth": 2, "width": 6}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        depth: Number = 10,
        width: Number = 64,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        bands = 4 * self.channels
        self.conv_00 = nn.Conv2d(bands, width, 5, padding=2)
        for index in range(1, depth + 1):
            self.add_module(f"conv_{index:02d}", nn.Conv2d(width, width, 3, padding=1))
        # The authors give the last layer the number 20, although only ten precede it.
        self.add_module(f"conv_{max(20, depth + 1)}", nn.Conv2d(width, bands, 3, padding=1))
        self._initialise()

    def forward(self, lr: Tensor) -> Tensor:
        """Sharpen the interpolated image (B, C, H, W) in [0, 1]."""
        height, width = lr.shape[-2:]
        bands = haar(even(lr))
        *hidden, last = self.children()
        features = bands
        for layer in hidden:
            features = torch.relu_(layer(features))
        return inverse_haar(bands + last(features))[..., :height, :width]

    def _initialise(self) -> None:
        """Initialise weights as the authors' code does, and biases with zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                entering = 1 if module is self.conv_00 else module.in_channels
                nn.init.normal_(module.weight, std=math.sqrt(2 / (9 * entering)))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
