"""CinCGAN's third generator, which degrades HR images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.bicubic import enlarge_bicubic, enlarged_border, reduce_bicubic
from realdeg.degradations.generator import GeneratorDegradation
from realdeg.degradations.primitives.translator import TranslatorNetwork
from realdeg.degradations.trace import Trace
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice, Count, Geometry, Whole

STRIDES = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 8: (2, 4)}


@DEGRADATIONS.register_module()
class CinCGANDegradation(GeneratorDegradation):
    """Converts HR to LR with one network, two of whose first convolutions may have strides.

    Draws nothing. It is learned from LR photos without HR: in the task ``CinCGAN`` it has to turn
    the super-resolved photos back into the photos, and ``UnpairedDegradation`` trains it against a
    discriminator. It predicts no kernel and adds no noise that the image does not determine.

    The published code has scales 2 and 4. Extensions here: scales 3 and 8, sides that are no
    multiple of the scale (continued by their last pixels), and ``same_size``, which enlarges the
    result to the HR grid.

    Args:
        scale: Downscaling factor: 1, 2, 3, 4 or 8.
        same_size: Whether the result is enlarged to the HR grid by bicubic interpolation.
        width: Channels of the network.
        num_blocks: Its residual blocks.
        use_bn: Whether the blocks have batch normalisation.
        last_activation: Whether leaky ReLU 0.2 follows the last convolution (the re-implementation)
            or nothing does (the paper).
        residual: Whether the network's output, initially zero, is added to the bicubic reduction:
            an untrained one is that reduction, which suits short training.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 is treated as the grey image of that luma.

    Raises:
        ConfigError: If an argument is out of range.
        GeometryError: If the scale is not supported.

    Source:
        Yuan, Liu, Zhang, Zhang, Dong, Lin, Unsupervised Image Super-Resolution using
        Cycle-in-Cycle Generative Adversarial Networks, CVPRW 2018, arXiv 1809.00437. The authors'
        code was not released; layers and keys follow sangyun884/CinCGAN-pytorch (c2605f9), the
        residual form greatlog/UnpairedSR (771312e), whose shortcut picks every scale-th pixel.
    """

    def __init__(
        self,
        scale: Annotated[int, Choice(*STRIDES), Geometry()] = 4,
        same_size: bool = False,
        width: Count = 64,
        num_blocks: Whole = 6,
        use_bn: bool = True,
        last_activation: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__(scale, same_size)
        self.residual = residual
        self.network = TranslatorNetwork(
            3, width, num_blocks, STRIDES[scale], use_bn, last_activation, zero_end=residual
        )

    @classmethod
    def example(cls, scale: int = 4, same_size: bool = False) -> CinCGANDegradation:
        """Return a small instance that is quick to run."""
        return cls(scale, same_size, width=4, num_blocks=1)

    @property
    def border(self) -> int:
        """LR pixels whose receptive field reaches beyond the image."""
        small = -(-self.network.reach // self.scale)
        if self.residual:
            small = max(small, 2)
        return enlarged_border(small, self.scale) if self.same_size else small

    def clean(self, hr: Tensor) -> Tensor:
        """Return the bicubic reduction, enlarged again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Run the network; the traces hold nothing that the object does not."""
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
        if not hr.shape[0]:  # torch's padding refuses an empty batch
            return hr[..., :: self.stride, :: self.stride]
        size = (int(hr.shape[2]), int(hr.shape[3]))
        below, right = (-side % self.scale for side in size)
        if below or right:
            hr = F.pad(hr, (0, right, 0, below), mode="replicate")
        lr = self.in_rgb(hr, self._translate)
        return enlarge_bicubic(lr, self.scale, size) if self.same_size else lr

    def describe(self) -> str:
        """Return a one-line description."""
        size = f"{self.arguments['num_blocks']} blocks of {self.arguments['width']} channels"
        start = ", added to the reduction" if self.residual else ""
        return f"{super().describe()}, generator of {size}{start}"

    def _translate(self, rgb: Tensor) -> Tensor:
        lr: Tensor = self.network(rgb)
        return torch.add(lr, reduce_bicubic(rgb, self.scale, False)) if self.residual else lr
