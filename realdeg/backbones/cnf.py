"""CNF: several SRCNNs of different depth, fused by one convolution each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour, Outputs
from realdeg.backbones.parts.classic import Number, draw_he, numbers_of
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class DeepSRCNN(nn.Module):
    """An SRCNN with more 3x3 layers in the middle (the paper's SRCNN_L).

    Args:
        depth: Convolutions, 3 or more.
        channels: Channels in and out.
        width: Channels after the first convolution; half of them after the others.
        bias: Whether convolutions have biases.
    """

    def __init__(self, depth: int, channels: int, width: int, bias: bool) -> None:
        super().__init__()
        inner = width // 2
        sizes = [channels, width, *[inner] * (depth - 2), channels]
        kernels = [9, 5, *[3] * (depth - 3), 5]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, padding=k // 2, bias=bias)
            for a, b, k in zip(sizes, sizes[1:], kernels, strict=False)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        for layer in self.convs[:-1]:
            image = torch.relu(layer(image))
        return self.convs[-1](image)


@BACKBONES.register_module()
class CNF(Backbone):
    """Context-wise network fusion: the images of several networks, each filtered, and summed.

    Works on the interpolated image. With members of 7, 9 and 11 layers it has 337,467 parameters
    without biases (the paper's way of counting).

    The auxiliary outputs are ``member_1`` and so on. The paper trains the members first
    (``WeightedLoss`` with ``outputs={"member_*": 1.0}``), then all together (``{"sr": 1.0}``).

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        depths: Layers of the members, 3 or more: ``"7-9-11"``, or ``"11-13-15"``, the paper's
            larger one (448,059).
        width: Channels after a member's first layer, even.
        bias: Whether convolutions have biases; the sum always has one.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Ren, El-Khamy, Lee, Image Super Resolution Based on Fusing Multiple Convolution Neural
        Networks, CVPRW 2017. No weights were published; keys are realdeg's own.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"
    example_arguments = {"scale": 2, "depths": "3-4", "width": 8}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        depths: str = "7-9-11",
        width: Number = 64,
        bias: bool = True,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        layers = numbers_of(depths, "depths of CNF")
        if min(layers) < 3 or width % 2:
            raise ConfigError(
                f"CNF needs members of 3 layers or more and an even width, got depths={depths!r}"
                f" and width={width}."
            )
        # 9x9, two 5x5 and the rest 3x3, then the 3x3 of the fusion.
        self.nets = nn.ModuleList(DeepSRCNN(n, self.channels, width, bias) for n in layers)
        self.fuse = nn.ParameterList(
            torch.empty(self.channels, self.channels, 3, 3) for _ in layers
        )
        self.bias = nn.Parameter(torch.zeros(self.channels))
        draw_he(self)
        for weight in self.fuse:  # initially the mean of the members
            nn.init.dirac_(weight)
            weight.data /= len(layers)

    def forward(self, lr: Tensor) -> Outputs:
        """Return the fused image and every member's (B, C, H, W) in [0, 1]."""
        images = [net(lr) for net in self.nets]
        # One convolution of all images at once: the sum of one for each.
        sr = nn.functional.conv2d(
            torch.cat(images, dim=1), torch.cat(list(self.fuse), dim=1), self.bias, padding=1
        )
        return Outputs(sr, {f"member_{i}": image for i, image in enumerate(images, start=1)})
