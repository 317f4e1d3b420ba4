"""MemNet: memory blocks that see every memory before them, each one's image supervised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour, Outputs
from realdeg.backbones.parts.classic import Number, draw_he
from realdeg.backbones.readings import colour_of, count, has, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class NormConv(nn.Module):
    """Batch normalisation, ReLU and a convolution of odd kernel size."""

    def __init__(self, incoming: int, outgoing: int, kernel: int, bias: bool) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(incoming)
        self.conv = nn.Conv2d(incoming, outgoing, kernel, padding=kernel // 2, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.conv(torch.relu(self.bn(features)))


class MemoryBlock(nn.Module):
    """Recursive units (short-term memory) and the gate that joins them with older memories.

    Args:
        memories: Number of older memories.
        units: Number of units, which share their two convolutions but not their normalisations.
        width: Channels.
        bias: Whether convolutions have biases.

    Source:
        MemNet, equations 4 to 9.
    """

    def __init__(self, memories: int, units: int, width: int, bias: bool) -> None:
        super().__init__()
        self.bn_a = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(units))
        self.conv_a = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn_b = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(units))
        self.conv_b = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.gate = NormConv((memories + units) * width, width, 1, bias)

    def forward(self, memories: list[Tensor]) -> Tensor:
        """Return the new memory of the older ones, the latest last, each (B, C, H, W)."""
        features = memories[-1]
        short: list[Tensor] = []
        for first, second in zip(self.bn_a, self.bn_b, strict=True):
            inner = self.conv_a(torch.relu(first(features)))
            features = features + self.conv_b(torch.relu(second(inner)))
            short.append(features)
        return self.gate(torch.cat([*memories, *short], dim=1))


@BACKBONES.register_module()
class MemNet(Backbone):
    """Persistent memory network, M6R6: six memory blocks of six units, 80 layers.

    It works on the interpolated image, which is added to the image of every memory. The result is
    the sum of these images with learned weights. 676,992 convolution weights (as the paper counts),
    695,497 parameters in all.

    ``aux`` holds the images of the memories, ``memory_1`` to ``memory_M``. The paper's loss is
    ``WeightedLoss`` with ``outputs={"sr": alpha, "memory_*": (1 - alpha) / M}``.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        blocks: Memory blocks (the paper's M).
        units: Units in each block (the paper's R).
        width: Channels.
        bias: Whether convolutions have biases.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Tai, Yang, Liu, Xu, MemNet: A Persistent Memory Network for Image Restoration, ICCV 2017
        (layers as in tyshiwo/MemNet). There are no PyTorch weights for them; the keys are ours.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    form_readings = {
        "units": count(r"blocks\.0\.bn_a\.(\d+)\.weight"),
        "blocks": count(r"blocks\.(\d+)\.conv_a\.weight"),
        "width": size("feature.conv.weight"),
        "bias": has("feature.conv.bias", given="feature.conv.weight"),
        "colour": colour_of("feature.conv.weight", 1),
    }
    example_arguments = {"scale": 2, "blocks": 2, "units": 2, "width": 6, "bias": False}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        blocks: Number = 6,
        units: Number = 6,
        width: Number = 64,
        bias: bool = True,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.feature = NormConv(self.channels, width, 3, bias)
        self.blocks = nn.ModuleList(
            MemoryBlock(older, units, width, bias) for older in range(1, blocks + 1)
        )
        self.recon_bn = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(blocks))
        self.recon_conv = nn.Conv2d(width, self.channels, 3, padding=1, bias=bias)
        self.weights = nn.Parameter(torch.full((blocks,), 1 / blocks))
        draw_he(self)

    def forward(self, lr: Tensor) -> Outputs:
        """Return the weighted sum and every memory's image (B, C, H, W) in [0, 1]."""
        memories = [self.feature(lr)]
        images: dict[str, Tensor] = {}
        shares: list[Tensor] = []
        for index, (block, norm) in enumerate(zip(self.blocks, self.recon_bn, strict=True)):
            memories.append(block(memories))
            image = lr + self.recon_conv(torch.relu(norm(memories[-1])))
            images[f"memory_{index + 1}"] = image
            shares.append(self.weights[index] * image)
        return Outputs(sum(shares[1:], shares[0]), images)
