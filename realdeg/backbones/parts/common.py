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
    """Add or subtract the mean colour, stored the way the EDSR family stores it.

    Published checkpoints hold a frozen 1x1 convolution (``weight`` the identity, ``bias`` the
    shift). Here both are buffers, so that the keys fit and no optimiser sees them; and the shift
    is an addition outside autocast's reach, as 8 bits of mantissa are too few for [0, 255].

    Args:
        value_range: The number that stands for white.
        sign: -1 subtracts the mean, +1 adds it.
        mean: The mean colour in [0, 1].

    Shape:
        (B, 3, H, W) -> (B, 3, H, W)

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


class Upsampler(nn.Sequential):
    """Sub-pixel upsampling: a convolution and a pixel shuffle per prime step.

    Powers of two take that many (convolution C -> 4C, shuffle 2) steps, 3 takes one with 9C,
    and 1 takes none. Convolutions lie at even indices, as in the EDSR family's keys.

    Args:
        factor: How many times larger the output is: 1, 3 or a power of two.
        features: Channels C.

    Shape:
        (B, C, h, w) -> (B, C, factor * h, factor * w)

    Raises:
        GeometryError: If the factor is none of these.

    Source:
        Shi et al., Real-Time Single Image and Video Super-Resolution, CVPR 2016.
    """

    def __init__(self, factor: int, features: int) -> None:
        layers: list[nn.Module] = []
        for step in upsampling_steps(factor):
            layers += [nn.Conv2d(features, step**2 * features, 3, padding=1), nn.PixelShuffle(step)]
        super().__init__(*layers)


def upsampling_steps(factor: int) -> list[int]:
    """Split an upsampling factor into the steps that :class:`Upsampler` takes.

    Args:
        factor: 1, 3 or a power of two.

    Returns:
        The factors of the single steps.

    Raises:
        GeometryError: If the factor is none of these.
    """
    if factor == 3:
        return [3]
    if factor >= 1 and factor & (factor - 1) == 0:
        return [2] * (factor.bit_length() - 1)
    raise GeometryError(
        f"sub-pixel upsampling by {factor} does not exist: it takes 1, 3 or a power of two."
    )


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad right and bottom to a multiple: reflected, or replicated where the image is too small.

    Args:
        image: (B, C, H, W).
        multiple: The wanted divisor of height and width, in pixels.

    Returns:
        The padded image, or the image itself where nothing was to do.
    """
    height, width = image.shape[-2:]
    if not isinstance(height, int) and multiple > 1:
        # torch.export gives symbols, on which nothing may branch: it leaves tiny images out.
        bottom, right = ((n + multiple - 1) // multiple * multiple - n for n in (height, width))
        return F.pad(image, (0, right, 0, bottom), mode="reflect")
    bottom, right = -height % multiple, -width % multiple
    if not bottom and not right:
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def pre_upsampling_halo(radius: int, scale: int, same_size: bool) -> int:
    """Return the halo of a network that runs on the bicubic-upsampled image.

    Args:
        radius: The network's receptive field to one side, in HR pixels.
        scale: The scale that the image is upsampled by.
        same_size: The image is on the HR grid already.

    Returns:
        LR pixels, those of the bicubic kernel (2 to one side) included.
    """
    if same_size or scale == 1:
        return radius
    # HR pixel s*i lies at LR coordinate i - (s-1)/(2s); bicubic takes one pixel more below it.
    return -(-(2 * radius + scale - 1) // (2 * scale)) + 1


def post_upsampling_halo(radius: int, factor: int, unshuffle: int = 1) -> int:
    """Return the halo of a network that ends in :class:`Upsampler` and one 3x3 convolution.

    Args:
        radius: The receptive field of everything before the upsampler, to one side, in pixels of
            the grid that it works on.
        factor: The upsampler's factor.
        unshuffle: The factor of the pixel unshuffle at the input.

    Returns:
        LR pixels.
    """
    scale = factor // unshuffle
    steps = upsampling_steps(factor)
    reaches = []
    for pixel in range(factor):  # the output pixels of one block differ in how far they look back
        first = pixel - 1
        for step in reversed(steps):
            first = first // step - 1
        reaches.append(pixel // scale - unshuffle * (first - radius))
    return max(reaches)
