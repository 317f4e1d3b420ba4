"""The generator of DSGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DSGANGenerator(nn.Module):
    """Adds to a clean LR image what a camera would have added; same size in and out.

    3 x 3 to ``width`` channels and PReLU; residual blocks of two convolutions with PReLU between
    them; 3 x 3 to RGB. No normalisation. Names in the state dict are those of the authors' code.

    Args:
        width: Channels.
        num_blocks: Residual blocks.
        residual: False ends with a sigmoid (the paper's); True adds the output to the input
            instead, starting from nothing added.

    Shape:
        (B, 3, H, W) to (B, 3, H, W).

    Source:
        Fritsche, Gu, Timofte, ICCVW 2019 (ManuelFritsche/real-world-sr, dsgan/model.py).
    """

    def __init__(self, width: int = 64, num_blocks: int = 8, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.block_input = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.PReLU())
        self.res_blocks = nn.ModuleList(_Block(width) for _ in range(num_blocks))
        self.block_output = nn.Conv2d(width, 3, 3, padding=1)
        if residual:
            nn.init.zeros_(self.block_output.weight)
            if self.block_output.bias is not None:
                nn.init.zeros_(self.block_output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Degrade.

        Args:
            x: Clean LR images in [0, 1], shape (B, 3, H, W).

        Returns:
            The same shape; inside (0, 1) unless ``residual``.
        """
        features = self.block_input(x)
        for block in self.res_blocks:
            features = block(features)
        out = self.block_output(features)
        return x + out if self.residual else torch.sigmoid(out)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv2(self.prelu(self.conv1(x)))
        return x + change
