"""BT.601 studio-range colour conversion, as MATLAB's ``rgb2ycbcr``, on tensors in [0, 1].

Y spans 16/255 to 235/255; nothing is rounded here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

# Rows Y, Cb, Cr for R, G, B in [0, 1], results in 0..255 before the division.
_TO_YCBCR = (
    (65.481, 128.553, 24.966),
    (-37.797, -74.203, 112.0),
    (112.0, -93.786, -18.214),
)
GREY_WEIGHTS = (0.299, 0.587, 0.114)
"""The shares of R, G and B in grey: luma's weights divided by their sum."""
_OFFSET = (16.0, 128.0, 128.0)
_one_channel_is_grey: ContextVar[bool] = ContextVar("one_channel_is_grey", default=False)


def rgb_to_y(x: Tensor) -> Tensor:
    """Convert RGB to luma.

    Args:
        x: RGB in [0, 1], shape (..., 3, H, W).

    Returns:
        Luma in [16/255, 235/255], shape (..., 1, H, W).

    Raises:
        ValueError: If there are not three channels.
    """
    if x.shape[-3] != 3:
        raise ValueError(f"rgb_to_y needs 3 channels, got shape {tuple(x.shape)}")
    red, green, blue = x.unbind(-3)
    r, g, b = _TO_YCBCR[0]
    luma = red * (r / 255) + green * (g / 255) + blue * (b / 255) + 16 / 255
    return luma.unsqueeze(-3)


def rgb_to_grey(x: Tensor) -> Tensor:
    """Convert RGB to a grey image of the full range, as MATLAB's ``rgb2gray``.

    Args:
        x: RGB or grey in [0, 1], shape (..., 3 or 1, H, W).

    Returns:
        Grey in [0, 1], shape (..., 1, H, W). Three equal channels give exactly that channel.
    """
    if x.shape[-3] == 1:
        return x
    red, green, blue = x.unbind(-3)
    # Differences, so that equal channels give exactly that channel.
    return (green + 0.299 * (red - green) + 0.114 * (blue - green)).unsqueeze(-3)


def rgb_to_ycbcr(x: Tensor) -> Tensor:
    """Convert RGB to YCbCr.

    Args:
        x: RGB in [0, 1], shape (..., 3, H, W).

    Returns:
        YCbCr divided by 255, shape (..., 3, H, W).

    Raises:
        ValueError: If there are not three channels.
    """
    if x.shape[-3] != 3:
        raise ValueError(f"rgb_to_ycbcr needs 3 channels, got shape {tuple(x.shape)}")
    matrix = x.new_tensor(_TO_YCBCR) / 255
    offset = x.new_tensor(_OFFSET).view(3, 1, 1) / 255
    return torch.einsum("ij,...jhw->...ihw", matrix, x) + offset


def ycbcr_to_rgb(x: Tensor) -> Tensor:
    """Invert :func:`rgb_to_ycbcr`; nothing is clipped.

    Args:
        x: YCbCr divided by 255, shape (..., 3, H, W).

    Returns:
        RGB, shape (..., 3, H, W).

    Raises:
        ValueError: If there are not three channels.
    """
    if x.shape[-3] != 3:
        raise ValueError(f"ycbcr_to_rgb needs 3 channels, got shape {tuple(x.shape)}")
    # Inverted in float64 so that a round trip stays at float32 rounding.
    inverse = torch.linalg.inv(torch.tensor(_TO_YCBCR, dtype=torch.float64)) * 255
    offset = x.new_tensor(_OFFSET).view(3, 1, 1) / 255
    return torch.einsum("ij,...jhw->...ihw", inverse.to(x), x - offset)


def channels_of_files(x: Tensor, colour: str, grey: Sequence[bool]) -> Tensor:
    """Convert a batch to a colour as :func:`to_colour` does, but leave grey files as they are.

    A luma network receives the values of a grey file, 0 to 255, as its authors do, not the luma of
    RGB.

    Args:
        x: RGB or Y in [0, 1], shape (B, C, H, W).
        colour: ``"y"`` or ``"rgb"``.
        grey: For each image, whether its file has one channel, which ``x`` replicates.

    Returns:
        Shape (B, 1 or 3, H, W).
    """
    result = to_colour(x, colour)
    if colour != "y" or x.shape[1] == 1 or not any(grey):
        return result
    result = result.clone()
    for index, flag in enumerate(grey):
        if flag:
            result[index] = x[index, :1]
    return result


def to_colour(x: Tensor, colour: str) -> Tensor:
    """Convert RGB or Y to the colour that a component works on.

    Args:
        x: RGB (3 channels) or Y (1 channel) in [0, 1], shape (..., C, H, W).
        colour: ``"y"`` or ``"rgb"``.

    Returns:
        ``x`` itself if it already fits, else its luma.

    Raises:
        ValueError: If RGB is asked for and ``x`` is Y, or the colour is unknown.
    """
    channels = x.shape[-3]
    if colour == "y":
        return x if channels == 1 else rgb_to_y(x)
    if colour != "rgb":
        raise ValueError(f"colour is 'y' or 'rgb', got {colour!r}")
    if channels != 3:
        raise ValueError(f"RGB is needed, got {channels} channel(s)")
    return x


@contextmanager
def one_channel_is_grey() -> Iterator[None]:
    """Treat a single channel within the block as a grey file's own values, 0 to 1, not as luma.

    Most degradations treat both alike. Those that compute luma call :func:`luma_of`,
    :func:`grey_of` and :func:`one_channel_of`.
    """
    token = _one_channel_is_grey.set(True)
    try:
        yield
    finally:
        _one_channel_is_grey.reset(token)


def luma_of(x: Tensor) -> Tensor:
    """Return the luma of RGB, luma or grey.

    Args:
        x: Shape (..., C, H, W) with C = 1 or 3.

    Returns:
        Luma in [16/255, 235/255], shape (..., 1, H, W).
    """
    if x.shape[-3] == 1 and _one_channel_is_grey.get():
        return x * (219 / 255) + 16 / 255
    return to_colour(x, "y")


def grey_of(x: Tensor) -> Tensor:
    """Return the brightness of a one-channel image, black as 0 and white as 1.

    Args:
        x: Shape (..., 1, H, W): luma or grey.

    Returns:
        The same shape.
    """
    return x if _one_channel_is_grey.get() else (x * 255 - 16) / 219


def one_channel_of(rgb: Tensor) -> Tensor:
    """Convert RGB to the current kind of single channel: luma or grey.

    Args:
        rgb: Shape (..., 3, H, W).

    Returns:
        Shape (..., 1, H, W).
    """
    return rgb_to_grey(rgb) if _one_channel_is_grey.get() else rgb_to_y(rgb)


def in_rgb(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of RGB, (B, 3, H, W) to (B, 3, h, w), to RGB, luma or grey.

    Args:
        x: Shape (B, C, H, W) with C = 1 or 3; one channel becomes equal R, G and B.
        function: Maps RGB to RGB.

    Returns:
        Shape (B, C, h, w): where C is 1, the luma or grey of the result.
    """
    if x.shape[1] == 3:
        return function(x)
    return one_channel_of(function(grey_of(x).expand(-1, 3, -1, -1)))


def weights_of_one_channel() -> tuple[float, float, float]:
    """Return the weights of R, G and B in a difference of the current kind of single channel."""
    if _one_channel_is_grey.get():
        return GREY_WEIGHTS
    red, green, blue = _TO_YCBCR[0]
    return (red / 255, green / 255, blue / 255)


def changed_like_luma(change: Tensor, channels: int) -> Tensor:
    """Return the change of every channel that causes a given change of luma.

    Args:
        change: The change of luma, shape (..., 1, H, W).
        channels: Channels of the image to change: 1 (luma or grey) or 3 (RGB).

    Returns:
        The same shape; 255/219 of it for RGB and grey, whose range is wider than luma's.
    """
    if channels == 1 and not _one_channel_is_grey.get():
        return change
    return change / (219 / 255)
