"""DSGAN: a generator, learned from unpaired photos, after a bicubic reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.bicubic import enlarge_bicubic, enlarged_border, reduce_bicubic
from realdeg.degradations.generator import GeneratorDegradation
from realdeg.degradations.trace import Trace
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count, Whole


@DEGRADATIONS.register_module()
class DSGAN(GeneratorDegradation):
    """Reduces bicubically, then adds the look of a camera's LR images with a generator.

    Draws nothing. Applies the bicubic reduction and the generator, a network of residual blocks at
    LR size. It is learned from LR photos without HR (task ``UnpairedDegradation``): coarse colours
    must stay those of the reduction, and fine texture must deceive a patch discriminator.

    The published code only supports scale 4 and smaller LR. Extensions here: other scales use
    another bicubic factor, and ``same_size`` upsamples the result to the HR grid (``grid``).

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        width: Channels of the generator.
        num_blocks: Its residual blocks.
        residual: False ends with a sigmoid (the paper's). True adds the network's output, initially
            zero, to its input: an untrained one is the bicubic reduction, which suits short
            training. Results may then leave [0, 1] slightly.
        grid: Where the generator works when ``same_size``: ``"lr"`` before the enlargement,
            ``"hr"`` after it (scale**2 times the work).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 is treated as the grey image of that luma.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Fritsche, Gu, Timofte, Frequency Separation for Real-World Super-Resolution, ICCVW 2019,
        arXiv 1911.07850. As "Syn-DSGAN" a baseline in DML (Xiao, Yong, Zhang, ACCV 2020), which
        only states "fine-tuned on RealSR".
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        width: Count = 64,
        num_blocks: Whole = 8,
        residual: bool = False,
        grid: Literal["lr", "hr"] = "lr",
    ) -> None:
        super().__init__(scale, same_size)
        self.grid = grid
        self.network = DSGANGenerator(width, num_blocks, residual)

    @classmethod
    def example(cls, scale: int = 4, same_size: bool = False) -> DSGAN:
        """Return a small instance that is quick to run."""
        return cls(scale, same_size, width=4, num_blocks=1)

    @property
    def border(self) -> int:
        """LR pixels that see the padding: one for each convolution, two for the reduction."""
        convolutions = 2 * len(self.network.res_blocks) + 2
        if not self.same_size:
            return convolutions + 2
        if self.grid == "hr":
            return convolutions + enlarged_border(2, self.scale)
        return enlarged_border(convolutions + 2, self.scale)

    def clean(self, hr: Tensor) -> Tensor:
        """Return the bicubic reduction, enlarged again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Reduce and run the generator; the traces hold nothing that the object does not."""
        return self.generate(hr)

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade a batch; nothing is random, so no seed is used."""
        self.check_input(hr)
        return self.generate(hr)

    def generate(self, hr: Tensor) -> Tensor:
        """Degrade a batch, differentiably for training.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            The LR batch.
        """
        if self.same_size and self.grid == "hr":
            return self.in_rgb(self.clean(hr), self.network)
        lr = self.in_rgb(reduce_bicubic(hr, self.scale, False), self.network)
        return enlarge_bicubic(lr, self.scale, (hr.shape[2], hr.shape[3])) if self.same_size else lr

    def describe(self) -> str:
        """Return a one-line description."""
        network = self.network
        size = f"{len(network.res_blocks)} blocks of {self.arguments['width']} channels"
        start = ", added to the reduction" if network.residual else ""
        return f"{super().describe()}, generator of {size}{start}"


class DSGANGenerator(nn.Module):
    """Adds a camera's degradation to a clean LR image of the same size.

    3 x 3 to ``width`` channels and PReLU; residual blocks of two convolutions with PReLU between
    them; 3 x 3 to RGB. No normalisation. Names in the state dict are those of the authors' code.

    Arguments as for :class:`DSGAN`.

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
        """Degrade clean LR images in [0, 1]; the result is in (0, 1) unless ``residual``."""
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
