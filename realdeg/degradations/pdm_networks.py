"""The two networks of PDM: codes (and images) to kernels, and to noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.primitives.noise import white_noise

KernelStart = Literal["gaussian", "flat", "random"]
NoiseStart = Literal["zero", "normal"]


class CodeNorm(nn.BatchNorm2d):
    """Batch normalisation that takes a single value per channel as well.

    One code, of an image alone in its batch, has no statistics: the running ones are used.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch of features (B, C, h, w)."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(x)


class CodeBlock(nn.Module):
    """A residual block: convolution, normalisation, ReLU, convolution.

    Args:
        width: Channels.
        side: Side of the convolutions.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, side, padding=side // 2),
            CodeNorm(width),
            nn.ReLU(),
            nn.Conv2d(width, width, side, padding=side // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the change to the features."""
        change: Tensor = self.body(x)
        return x + change


def code_layers(entering: int, width: int, blocks: int, leaving: int, side: int) -> list[nn.Module]:
    """Return the layers of either network.

    Args:
        entering: Channels of the code and the image.
        width: Channels inside.
        blocks: Residual blocks.
        leaving: Channels of the result.
        side: Side of all convolutions but the last, which is 1 x 1.
    """
    return [
        nn.Conv2d(entering, width, side, padding=side // 2),
        CodeNorm(width),
        nn.ReLU(True),
        *(CodeBlock(width, side) for _ in range(blocks)),
        nn.Conv2d(width, leaving, 1),
    ]


class KernelNetwork(nn.Module):
    """Codes to kernels with positive taps and sum 1, by a softmax over the taps.

    Args:
        entering: Channels of the code and the image.
        width: Channels inside.
        blocks: Residual blocks.
        size: Side k of the kernels.
        side: Side of the convolutions.
        start: See :class:`~realdeg.degradations.pdm.PDM`.
        stride: HR pixels per LR pixel on the grid, for the centre of a Gaussian.
        spread: Standard deviation of that Gaussian in HR pixels.

    Shape:
        (B, entering, h, w) to (B, k * k, h, w).
    """

    def __init__(
        self,
        entering: int,
        width: int,
        blocks: int,
        size: int,
        side: int,
        start: KernelStart,
        stride: int,
        spread: float,
    ) -> None:
        super().__init__()
        self.deg_kernel = nn.Sequential(
            *code_layers(entering, width, blocks, size**2, side), nn.Softmax(1)
        )
        if start == "random":
            return
        last = self.deg_kernel[-2]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            if start == "flat":
                last.bias[size**2 // 2] = 1
            else:
                rest = centre_rest(size, stride)
                kernel = gaussian_kernel(size, spread, centre=(rest, rest))
                last.bias.copy_((kernel / kernel.max()).log().float().flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Return the taps in row-major order."""
        taps: Tensor = self.deg_kernel(x)
        return taps


class NoiseNetwork(nn.Module):
    """Codes and images to noise.

    Args:
        entering: Channels of the code and the image.
        width: Channels inside.
        blocks: Residual blocks.
        channels: 3, or 1 for noise that R, G and B share.
        side: Side of the convolutions.
        start: See :class:`~realdeg.degradations.pdm.PDM`.

    Shape:
        (B, entering, h, w) to (B, channels, h, w).
    """

    def __init__(
        self, entering: int, width: int, blocks: int, channels: int, side: int, start: NoiseStart
    ) -> None:
        super().__init__()
        self.deg_noise = nn.Sequential(*code_layers(entering, width, blocks, channels, side))
        last = self.deg_noise[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        if start == "zero":
            nn.init.zeros_(last.weight)
        else:
            nn.init.normal_(last.weight, 0.001)  # the authors': a mean of 0.001, and variance 1
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the noise."""
        noise: Tensor = self.deg_noise(x)
        return noise


def codes_for(
    like: Tensor,
    seeds: Sequence[int] | None,
    length: int,
    spatial: bool = False,
    image: Tensor | None = None,
) -> Tensor:
    """Return what a network gets: codes drawn by seed, behind the image if it sees one.

    Args:
        like: An image on the LR grid, shape (B, C, h, w), for size, type and device.
        seeds: One per image; None: the mean of all codes, 0.
        length: Of a code.
        spatial: Whether every pixel has one.
        image: Shape (B, 3, h, w), or None.

    Returns:
        Shape (B, length, h, w), or (B, length, 1, 1) unless ``spatial``; with an image
        (B, 3 + length, h, w).
    """
    size = (length, *like.shape[2:]) if spatial else (length, 1, 1)
    if seeds is None or not length:
        codes = like.new_zeros(like.shape[0], *size)
    else:
        codes = torch.stack([white_noise(size, seed) for seed in seeds]).to(like)
    if image is None:
        return codes
    return torch.cat([image, codes.expand(-1, -1, *image.shape[2:])], 1)


def squares(taps: Tensor) -> Tensor:
    """Return kernels as squares: shape (B, k * k, h, w) to (B * h * w, k, k)."""
    side = round(taps.shape[1] ** 0.5)
    return taps.permute(0, 2, 3, 1).reshape(-1, side, side)


def reach_of(network: nn.Module) -> int:
    """Return how many pixels from its own a network's result depends on."""
    convolutions = (one for one in network.modules() if isinstance(one, nn.Conv2d))
    return sum(one.kernel_size[0] // 2 for one in convolutions)
