"""Parts that several networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.errors import GeometryError

DIV2K_MEAN: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)
"""Mean RGB of the DIV2K training images, which the EDSR family subtracts."""


class MeanShift(nn.Module):
    """Add or subtract the mean colour, with the EDSR family's keys.

    Published checkpoints hold a frozen 1x1 convolution (``weight`` the identity, ``bias`` the
    shift). Here both are buffers, so that the keys match and no optimiser updates them. The shift
    is an addition, which autocast leaves alone: 8 bits of mantissa are too few for [0, 255].

    Args:
        value_range: The value of white.
        sign: -1 subtracts the mean, +1 adds it.
        mean: The mean colour in [0, 1].

    Source:
        Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, CVPRW 2017.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, value_range: float, sign: int, mean: Sequence[float] = DIV2K_MEAN) -> None:
        super().__init__()
        self.register_buffer("weight", torch.eye(len(mean)).reshape(len(mean), len(mean), 1, 1))
        self.register_buffer("bias", sign * value_range * torch.tensor(mean))

    def forward(self, image: Tensor) -> Tensor:
        """Shift a batch (B, 3, H, W)."""
        return image + self.bias.reshape(1, -1, 1, 1)


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled, and the input added.

    Args:
        features: Channels.
        res_scale: The factor of the residual.
    """

    def __init__(self, features: int, res_scale: float = 1.0) -> None:
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, features, H, W)."""
        change = self.conv2(torch.relu_(self.conv1(features)))
        return torch.add(features, change, alpha=self.res_scale)


class Upsampler(nn.Sequential):
    """Sub-pixel upsampling: a convolution and a pixel shuffle per prime factor.

    Each factor of 2 is a step (convolution C -> 4C, shuffle 2), 3 is one step with 9C, and 1 needs
    none. Convolutions have even indices, as in the EDSR family's keys.

    Args:
        factor: 1, 3 or a power of two.
        features: Channels C.

    Shape:
        (B, C, h, w) -> (B, C, factor * h, factor * w)

    Raises:
        GeometryError: If there is no such factor.

    Source:
        Shi et al., Real-Time Single Image and Video Super-Resolution, CVPR 2016.
    """

    def __init__(self, factor: int, features: int) -> None:
        layers: list[nn.Module] = []
        for step in upsampling_steps(factor):
            layers += [nn.Conv2d(features, step**2 * features, 3, padding=1), nn.PixelShuffle(step)]
        super().__init__(*layers)


def upsampling_steps(factor: int) -> list[int]:
    """Return the factors of the steps of :class:`Upsampler`: of 1, 3 or a power of two.

    Raises:
        GeometryError: If there is no such factor.
    """
    if factor == 3:
        return [3]
    if factor >= 1 and factor & (factor - 1) == 0:
        return [2] * (factor.bit_length() - 1)
    raise GeometryError(
        f"sub-pixel upsampling by {factor} does not exist: it takes 1, 3 or a power of two."
    )


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad right and bottom by reflection, or by replication if the image is too small for it.

    Args:
        image: (B, C, H, W); returned as it is if nothing has to be padded.
        multiple: The required divisor of height and width, in pixels.
    """
    height, width = image.shape[-2:]
    if not isinstance(height, int) and multiple > 1:
        # torch.export uses symbols, which must not decide branches: tiny images are not covered.
        bottom, right = ((n + multiple - 1) // multiple * multiple - n for n in (height, width))
        return F.pad(image, (0, right, 0, bottom), mode="reflect")
    return pad_end(image, -height % multiple, -width % multiple)


def pad_end(image: Tensor, bottom: int, right: int) -> Tensor:
    """Pad by so many pixels, reflected, or replicated if the image is too small for that."""
    if not bottom and not right:
        return image
    mode = "reflect" if bottom < image.shape[-2] and right < image.shape[-1] else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def post_upsampling_halo(radius: int, factor: int, unshuffle: int = 1) -> int:
    """Return the halo of a network that ends in :class:`Upsampler` and one 3x3 convolution.

    Args:
        radius: The receptive-field radius of everything before the upsampler, in pixels of its
            grid.
        factor: The upsampler's factor.
        unshuffle: The factor of the pixel unshuffle at the input.
    """
    scale = factor // unshuffle
    steps = upsampling_steps(factor)
    reaches = []
    for pixel in range(factor):  # the radius differs among the output pixels of a block
        first = pixel - 1
        for step in reversed(steps):
            first = first // step - 1
        reaches.append(pixel // scale - unshuffle * (first - radius))
    return max(reaches)
