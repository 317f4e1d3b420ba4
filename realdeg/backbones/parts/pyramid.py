"""Parts that progressive and iterative networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Kernel, stride and padding by which back-projection networks go up and down, at each factor.
PROJECTIONS: dict[int, tuple[int, int, int]] = {
    2: (6, 2, 2),
    3: (7, 3, 2),
    4: (8, 4, 2),
    8: (12, 8, 2),
}


class DoublingDeconv(nn.ConvTranspose2d):
    """A transposed convolution of stride 2 whose output has exactly twice the size.

    A kernel of 4 is centred by padding. One of 3 cannot be: its last row and column are dropped,
    as MatConvNet's crop of [0, 1, 0, 1] does.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel: Kernel size, 3 or 4.
        bias: Whether it has biases.

    Shape:
        (B, in_channels, h, w) -> (B, out_channels, 2h, 2w)
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> None:
        padding = 1 if kernel == 4 else 0
        super().__init__(in_channels, out_channels, kernel, stride=2, padding=padding, bias=bias)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:  # type: ignore[override]
        """Run on (B, C, h, w)."""
        height, width = input.shape[-2:]
        return super().forward(input)[..., : 2 * height, : 2 * width]


def bilinear_weight(kernel: int) -> Tensor:
    """Return the kernel by which a transposed convolution of stride 2 interpolates bilinearly.

    Args:
        kernel: Kernel size.

    Returns:
        Shape (kernel, kernel); every output pixel's taps sum to 1.
    """
    factor = (kernel + 1) // 2
    centre = factor - 1 if kernel % 2 else factor - 0.5
    row = 1 - (torch.arange(kernel, dtype=torch.float64) - centre).abs() / factor
    return torch.outer(row, row).float()


def pil_bicubic(image: Tensor, factor: int) -> Tensor:
    """Enlarge as PIL's BICUBIC does (a = -0.5, taps outside the image left out), unrounded.

    Args:
        image: (B, C, h, w).
        factor: How many times larger the result is.

    Returns:
        (B, C, factor * h, factor * w).
    """
    height, width = image.shape[-2:]
    if not image.shape[0]:  # interpolation refuses empty batches
        return image.new_zeros((0, image.shape[1], factor * height, factor * width))
    # Without antialias torch takes a = -0.75; with it, PIL's kernel and border.
    size = (factor * height, factor * width)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)
