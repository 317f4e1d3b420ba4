"""Parts that progressive and iterative networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Kernel, stride and padding of back-projection networks for each factor.
PROJECTIONS: dict[int, tuple[int, int, int]] = {
    2: (6, 2, 2),
    3: (7, 3, 2),
    4: (8, 4, 2),
    8: (12, 8, 2),
}


class DoublingDeconv(nn.ConvTranspose2d):
    """A transposed convolution of stride 2 whose output has exactly twice the size.

    Kernels of 4 are centred by padding. Kernels of 3 cannot be: the last row and column are
    dropped, as by MatConvNet's crop of [0, 1, 0, 1].
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> None:
        padding = 1 if kernel == 4 else 0
        super().__init__(in_channels, out_channels, kernel, stride=2, padding=padding, bias=bias)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Run on (B, C, h, w)."""
        height, width = input.shape[-2:]
        return super().forward(input)[..., : 2 * height, : 2 * width]


def bilinear_weight(kernel: int) -> Tensor:
    """Return the (kernel, kernel) weight of a bilinear transposed convolution of stride 2."""
    factor = (kernel + 1) // 2
    centre = factor - 1 if kernel % 2 else factor - 0.5
    row = 1 - (torch.arange(kernel, dtype=torch.float64) - centre).abs() / factor
    return torch.outer(row, row).float()


def pil_bicubic(image: Tensor, factor: int) -> Tensor:
    """Enlarge (B, C, h, w) as PIL's BICUBIC (a = -0.5, taps outside dropped), without rounding."""
    height, width = image.shape[-2:]
    if not image.shape[0]:  # interpolation refuses empty batches
        return image.new_zeros((0, image.shape[1], factor * height, factor * width))
    # Without antialias torch uses a = -0.75; with it, PIL's kernel and border.
    size = (factor * height, factor * width)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)
