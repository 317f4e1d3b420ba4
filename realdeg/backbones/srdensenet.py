"""SRDenseNet: dense blocks whose outputs are all kept, and two deconvolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import ConvReLU, Number, draw_he
from realdeg.backbones.readings import colour_of, count, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class DenseBlock(nn.Module):
    """Convolutions that see every output before them in the block; the first sees its input.

    Shape:
        (B, C, H, W) -> (B, C + num_layers * growth, H, W), the input first.
    """

    def __init__(self, inputs: int, growth: int, num_layers: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            ConvReLU(inputs, growth),
            *(ConvReLU(growth * layer, growth) for layer in range(1, num_layers)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        first, *rest = self.block
        own = first(features)
        for layer in rest:
            own = torch.cat([own, layer(own)], 1)
        return torch.cat([features, own], 1)


@BACKBONES.register_module()
class SRDenseNet(Backbone):
    """Super-resolution by dense skip connections (the paper's ``SRDenseNet_All``).

    No known reading of the paper gives its 2,015K parameters. This is the network of the public
    port: a block's first convolution sees the outputs of all blocks before it, its other
    convolutions those of their own block only. 2,659,585 parameters.

    Args:
        scale: 4.
        growth: Channels of each convolution inside a block.
        num_blocks: Dense blocks.
        num_layers: Convolutions per block.
        bottleneck: Channels after the 1x1 convolution and of the deconvolutions.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, 4*h, 4*w)

    Source:
        Tong, Li, Liu, Gao, Image Super-Resolution Using Dense Skip Connections, ICCV 2017. Keys
        and initialisation follow yjn870/SRDenseNet-pytorch.
    """

    colour: Colour = "y"
    scales: tuple[int, ...] | None = (4,)

    form_readings = {
        "growth": size("dense_blocks.0.block.0.conv.weight"),
        "num_blocks": count(r"dense_blocks\.(\d+)\.block\.0\.conv\.weight"),
        "num_layers": count(r"dense_blocks\.0\.block\.(\d+)\.conv\.weight"),
        "bottleneck": size("bottleneck.0.weight"),
        "colour": colour_of("conv.conv.weight", 1),
    }
    example_arguments = {"scale": 4, "growth": 3, "num_blocks": 2, "num_layers": 2, "bottleneck": 8}

    def __init__(
        self,
        scale: Scale = 4,
        growth: Number = 16,
        num_blocks: Number = 8,
        num_layers: Number = 8,
        bottleneck: Number = 256,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, colour=colour)
        width = growth * num_layers
        self.conv = ConvReLU(self.channels, width)
        self.dense_blocks = nn.Sequential(
            *(DenseBlock(width * (i + 1), growth, num_layers) for i in range(num_blocks))
        )
        self.bottleneck = nn.Sequential(
            nn.Conv2d(width * (num_blocks + 1), bottleneck, 1), nn.ReLU(inplace=True)
        )
        deconvolutions: list[nn.Module] = []
        for _ in range(2):
            deconvolutions += [
                nn.ConvTranspose2d(bottleneck, bottleneck, 3, 2, padding=1, output_padding=1),
                nn.ReLU(inplace=True),
            ]
        self.deconv = nn.Sequential(*deconvolutions)
        self.reconstruction = nn.Conv2d(bottleneck, self.channels, 3, padding=1)
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        features = self.bottleneck(self.dense_blocks(self.conv(lr)))
        return self.reconstruction(self.deconv(features))
