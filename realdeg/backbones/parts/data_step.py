"""The data step of plug-and-play super-resolution, exact in the Fourier domain."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Blur(NamedTuple):
    """A blur, prepared for :func:`data_step`.

    Attributes:
        otf: Its Fourier transform (B or 1, 1, H, W).
        power: The mean of the squared magnitudes that alias on the LR grid (B or 1, 1, h, w).
    """

    otf: Tensor
    power: Tensor

    @classmethod
    def of(cls, kernel: Tensor, image: Tensor, factor: int) -> Blur:
        """Prepare a kernel (B or 1, 1, k, k) for images of a size and a sampling factor."""
        otf = transfer(kernel, *image.shape[-2:])
        return cls(otf, _fold(otf.abs().square(), factor))


def data_step(image: Tensor, lr: Tensor, blur: Blur, rho: float | Tensor, factor: int) -> Tensor:
    """Return the x that minimises |y - (k * x) sampled|^2 + rho |x - image|^2.

    Written as a correction of the image by the residual in LR, which avoids a division by rho and
    so stays accurate in single precision.

    Args:
        image: The denoised image z (B, C, H, W).
        lr: The LR image y (B, C, h, w).
        blur: The blur k.
        rho: Weight of the second term, above 0; a tensor (B or 1, 1, 1, 1) for one per image.
        factor: The sampling distance in pixels.
    """
    if not image.shape[0]:
        return image  # MKL refuses empty transforms
    missing = torch.fft.fft2(lr) - _fold(blur.otf * torch.fft.fft2(image), factor)
    missing = missing / (blur.power + rho)
    # A sampled image's spectrum repeats, which broadcasting does without copies.
    spread = _blocks(blur.otf.conj(), factor) * missing[..., None, :, None, :]
    return image + torch.fft.ifft2(spread.reshape(image.shape)).real


def transfer(kernel: Tensor, height: int, width: int) -> Tensor:
    """Return the Fourier transform of kernels centred on the first pixel of a periodic image.

    Kernels (B, 1, k, k) may be larger than the image; the result is (B, 1, height, width).
    """
    rows, columns = (
        _waves(size, taps, kernel)
        for size, taps in zip((height, width), kernel.shape[-2:], strict=True)
    )
    return rows @ kernel.to(rows.dtype) @ columns.mT


def sampling_blur(kernel: Tensor, factor: int) -> Tensor:
    """Return the blur for :class:`Blur` that does what a kernel of a reduction does.

    Args:
        kernel: (B, 1, k, k), correlated at every factor-th pixel; the window of LR pixel i starts
            at ``factor * i + floor((factor - k) / 2)``.
        factor: The sampling distance in pixels.
    """
    side = int(kernel.shape[-1])
    before = -((factor - side) // 2)
    after = side - 1 - before
    # Turned round, it is a convolution; zeros bring the tap of the first pixel to its middle.
    reach = max(before, after)
    spans = (reach - after, reach - before)
    return F.pad(kernel.flip(-2, -1), spans * 2)


def _waves(size: int, taps: int, like: Tensor) -> Tensor:
    frequency = torch.arange(size, device=like.device, dtype=like.dtype) / size
    place = torch.arange(taps, device=like.device, dtype=like.dtype) - taps // 2
    angle = -2 * math.pi * frequency[:, None] * place
    return torch.complex(angle.cos(), angle.sin())


def _fold(spectrum: Tensor, factor: int) -> Tensor:
    """Return the spectrum of an image sampled at every factor-th pixel."""
    return _blocks(spectrum, factor).mean(dim=(-4, -2))


def _blocks(spectrum: Tensor, factor: int) -> Tensor:
    *lead, height, width = spectrum.shape
    return spectrum.reshape(*lead, factor, height // factor, factor, width // factor)
