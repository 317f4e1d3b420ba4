"""SRCNN: three convolutions, the first network for super-resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import MMAGIC
from realdeg.backbones.parts.classic import Number, numbers_of
from realdeg.backbones.readings import State, colour_of, shape_of, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


def _kernels(state: State) -> str | None:
    shapes = [shape_of(state, f"conv{k}.weight") for k in (1, 2, 3)]
    return "-".join(str(shape[-1]) for shape in shapes) if all(shapes) else None


@BACKBONES.register_module()
class SRCNN(Backbone):
    """Three convolutions on the interpolated image: patches, a mapping, the reconstruction.

    The paper uses no padding and compares the centre; here, as for the public weights, zero padding
    keeps the size. Parameters in Y: 8,129 (9-1-5), 24,513 (9-3-5) and 57,281 (9-5-5; the papers'
    57,184 exclude biases).

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        kernels: Sizes of the three filters, odd: ``"9-1-5"`` (ECCV), ``"9-3-5"`` or ``"9-5-5"``
            (the best of TPAMI, and the form of the public weights).
        width: Channels after the first convolution.
        mapped: Channels after the second.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Raises:
        ConfigError: If ``kernels`` is not three odd sizes.

    Source:
        Dong, Loy, He, Tang, Image Super-Resolution Using Deep Convolutional Networks, ECCV 2014
        and TPAMI 2016. Keys follow yjn870/SRCNN-pytorch; mmagic's are the same after
        ``generator.``.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    dialects = (MMAGIC,)
    form_readings = {
        "kernels": _kernels,
        "width": size("conv1.weight"),
        "mapped": size("conv2.weight"),
        "colour": colour_of("conv1.weight", 1),
    }
    example_arguments = {"scale": 2, "kernels": "9-1-5", "width": 8, "mapped": 6}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernels: str = "9-5-5",
        width: Number = 64,
        mapped: Number = 32,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        sizes = numbers_of(kernels, "kernels of SRCNN")
        if len(sizes) != 3 or not all(size % 2 for size in sizes):
            raise ConfigError(
                f"kernels of SRCNN is {kernels!r}: it must be three odd sizes, such as '9-5-5'."
            )
        first, second, third = sizes
        self.conv1 = nn.Conv2d(self.channels, width, first, padding=first // 2)
        self.conv2 = nn.Conv2d(width, mapped, second, padding=second // 2)
        self.conv3 = nn.Conv2d(mapped, self.channels, third, padding=third // 2)
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.normal_(layer.weight, std=0.001)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, lr: Tensor) -> Tensor:
        """Sharpen the interpolated image (B, C, H, W) in [0, 1]."""
        features = torch.relu(self.conv1(lr))
        return self.conv3(torch.relu(self.conv2(features)))
