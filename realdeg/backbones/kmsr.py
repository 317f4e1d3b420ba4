"""KMSR: residual blocks on the enlarged image, trained on blur kernels of real photos."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import colour_of, count, has, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class ResBlock(nn.Module):
    """Convolution, ReLU, convolution, the block's input added, and a second ReLU after the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, width, H, W)."""
        return torch.relu(self.conv2(torch.relu(self.conv1(features))) + features)


@BACKBONES.register_module()
class KMSR(Backbone):
    """Sixteen residual blocks between two convolutions without biases, at the size of HR.

    The LR image is first enlarged by bicubic interpolation. Training needs no LR images: HR images
    blurred by a ``KernelPool`` of the HR grid stand for enlarged LR (``same_size``), because the
    pool's kernels were found in enlarged photos and contain the interpolation. The trained network
    is then given enlarged photos: ``dict(type="KMSR", checkpoint=..., same_size=False)``.
    1,185,152 parameters.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        num_blocks: Residual blocks.
        width: Channels.
        colour: ``"rgb"`` as in the paper, or ``"y"``.
        global_skip: Whether the input is added to the result. The published code has that line
            commented out; short trainings learn much faster with it. The last convolution then
            starts at 0, so that training starts from the enlarged image.

    Shape:
        (B, 3 or 1, H, W) -> the same.

    Source:
        Zhou, Susstrunk, Kernel Modeling Super-Resolution on Real Low-Resolution Images, ICCV 2019;
        IVRL/Kernel-Modeling-Super-Resolution, commit 1253598, whose names the keys have
        (``test_code/model.py``; no weights are published there).
    """

    colour: Colour = "rgb"
    upsample = "pre"
    same_size_form = "native"

    # What a skip adds is a tensor, so that weights tell whether their network has one.
    form_readings = {
        "num_blocks": count(r"resblock_layer\.(\d+)\.conv1\.weight"),
        "width": size("input.weight"),
        "colour": colour_of("input.weight", 1),
        "global_skip": has("skip", given="input.weight"),
    }
    example_arguments = {"scale": 2, "num_blocks": 2, "width": 6}

    def __init__(
        self,
        scale: Scale = 2,
        same_size: bool = False,
        num_blocks: Number = 16,
        width: Number = 64,
        colour: Colour = "rgb",
        global_skip: bool = False,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.skip: Tensor | None
        self.register_buffer("skip", torch.ones(1) if global_skip else None)
        self.resblock_layer = nn.Sequential(*(ResBlock(width) for _ in range(num_blocks)))
        self.input = nn.Conv2d(self.channels, width, 3, padding=1, bias=False)
        self.output = nn.Conv2d(width, self.channels, 3, padding=1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight, gain=math.sqrt(2))
        if global_skip:
            nn.init.zeros_(self.output.weight)

    def forward(self, lr: Tensor) -> Tensor:
        """Restore the enlarged image (B, C, H, W) in [0, 1]."""
        made = self.output(self.resblock_layer(torch.relu(self.input(lr))))
        return made if self.skip is None else made + self.skip * lr
