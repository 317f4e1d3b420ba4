"""A blur kernel from one photo alone, by blind deconvolution with the dark channel prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.estimation.deconvolution import (
    continue_smoothly,
    differences,
    fast_size,
    fit_kernel,
    gradient_limit,
    sharpen,
    strong_differences,
    without_islands,
)
from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError

_SMALLEST = 5  # the least side of the coarsest kernel
_RATIO = math.sqrt(0.5)
_SHRINK = 1.1
_LEAST_WEIGHT = 1e-4


@dataclass(frozen=True)
class DarkChannelSettings:
    """The constants of Pan et al.'s method, as KMSR's authors set them.

    Attributes:
        kernel_size: Side of the kernel, odd.
        iterations: Rounds of sharp image and kernel at each level of the pyramid.
        dark_weight: First weight of the dark channel; each round divides it by 1.1, down to 1e-4.
        gradient_weight: First weight of the gradients, likewise.
        threshold: Taps below this share of the largest are set to 0 in the end, inverted.
    """

    kernel_size: int = 25
    iterations: int = 5
    dark_weight: float = 4e-3
    gradient_weight: float = 4e-3
    threshold: float = 20.0

    @property
    def kernel_sizes(self) -> list[int]:
        """The kernel's side at every level of the pyramid, the finest first."""
        levels = max(math.floor(math.log(_SMALLEST / self.kernel_size) / math.log(_RATIO)), 0) + 1
        sizes = [math.ceil(self.kernel_size * _RATIO**level - 1e-9) for level in range(levels)]
        return [size + (size + 1) % 2 for size in sizes]

    @property
    def least_size(self) -> int:
        """The least height and width of an image, in pixels."""
        return 4 * self.kernel_size


def blind_deconvolution(
    image: Tensor,
    settings: DarkChannelSettings = DarkChannelSettings(),  # noqa: B008 - frozen
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Estimate the kernel that blurred an image, on the image's own grid.

    Sharp image and kernel are found in turns, from a coarse image to the whole one. The sharp
    image has few gradients and a dark channel that is mostly 0; blurring makes both denser. The
    kernel is centred to the nearest pixel, as the image alone does not tell where it lies.

    Args:
        image: Grey in [0, 1], shape (H, W), both at least four times the kernel's side.
        settings: The method's constants.
        progress: Called with the number of rounds done, after each.

    Returns:
        Correlation kernel (k, k), not negative, sum 1, in the image's type.

    Raises:
        DataError: If the image is too small or has no gradients.

    Source:
        Pan, Sun, Pfister, Yang, Blind image deblurring using dark channel prior, CVPR 2016, with
        the authors' code as in IVRL/Kernel-Modeling-Super-Resolution, commit 1253598. Two
        differences: the coarse images keep their brightness, of which the code's truncated filter
        loses some percent; and pixels of equal value are dark together.
    """
    height, width = (int(side) for side in image.shape)
    if min(height, width) < settings.least_size:
        raise DataError(
            f"blind deconvolution of a kernel of {settings.kernel_size} x {settings.kernel_size}"
            f" needs an image of at least {settings.least_size} x {settings.least_size} pixels,"
            f" got {height} x {width}: take a larger image or a smaller kernel."
        )
    across, down = differences(image)
    if not bool(torch.isfinite(image).all()) or not float((across**2 + down**2).max()) > 0:
        raise DataError("the image has no gradients: a flat image reveals no kernel.")
    sizes = settings.kernel_sizes
    kernel = image.new_zeros(sizes[-1], sizes[-1])
    corner = (sizes[-1] - 3) // 2
    kernel[corner, corner : corner + 2] = 0.5
    weights = settings.dark_weight, settings.gradient_weight
    limit, done = 0.0, 0
    for level in reversed(range(len(sizes))):
        coarse = _reduced(image, _RATIO**level) if level else image
        if level == len(sizes) - 1:
            limit = gradient_limit(coarse, sizes[level])
        else:
            kernel = _enlarged(kernel, sizes[level])
        blurred = continue_smoothly(
            coarse,
            tuple(fast_size(side + sizes[level] - 1 + 3) for side in coarse.shape),  # type: ignore[arg-type]
        )
        given, current = differences(coarse), limit
        for _ in range(settings.iterations):
            sharp = sharpen(blurred, kernel, *weights)[: coarse.shape[0], : coarse.shape[1]]
            strong = strong_differences(sharp, current)
            if not float(strong[0].abs().max() + strong[1].abs().max()) > 0:
                raise DataError(
                    "the image has no strong gradients: an image without edges reveals no kernel."
                )
            current /= _SHRINK
            kernel = without_islands(fit_kernel(given, strong, sizes[level]))
            weights = tuple(max(one / _SHRINK, _LEAST_WEIGHT) for one in weights)  # type: ignore[assignment]
            done += 1
            if progress is not None:
                progress(done)
        kernel = _centred(kernel)
    kernel = kernel.masked_fill(kernel < kernel.max() / settings.threshold, 0)
    return (kernel / kernel.sum()).flip(0, 1)  # from convolution to correlation


def _reduced(image: Tensor, ratio: float) -> Tensor:
    """Blur and resample an image as the authors' code does, after Levin."""
    sigma = 1 / (2 * ratio)
    axis = torch.arange(-50, 51, dtype=image.dtype, device=image.device)
    taps = torch.exp(-0.5 * (axis / sigma).square())
    tails = (taps / taps.sum()).cumsum(0)
    taps = taps[torch.minimum(tails, tails.flip(0)) > 0.05]
    taps = taps / taps.sum()
    smooth = F.conv2d(F.conv2d(image[None, None], taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    return _rows_at(_rows_at(smooth[0, 0], ratio).T, ratio).T


def _rows_at(image: Tensor, ratio: float) -> Tensor:
    """Interpolate rows linearly at 0, 1 / ratio, 2 / ratio, ..."""
    count = math.floor((image.shape[0] - 1) * ratio + 1e-9) + 1
    places = torch.arange(count, dtype=torch.float64) / ratio
    below = places.floor().long().clamp(max=image.shape[0] - 2)
    share = (places - below).to(image)[:, None]
    below = below.to(image.device)
    return image[below] * (1 - share) + image[below + 1] * share


def _enlarged(kernel: Tensor, size: int) -> Tensor:
    """Bring a kernel to the next finer level: bicubic, and cut where it weighs less."""
    larger = imresize(kernel[None, None], 1 / _RATIO)[0, 0].clamp(min=0)
    for _ in range(2):
        while larger.shape[0] > size:
            sums = larger.sum(1)
            larger = larger[1:] if sums[0] < sums[-1] else larger[:-1]
        while larger.shape[0] < size:
            sums = larger.sum(1)
            at_end = (0, 0, 0, 1) if sums[0] < sums[-1] else (0, 0, 1, 0)
            larger = F.pad(larger, at_end)
        larger = larger.T
    return larger / larger.sum()


def _centred(kernel: Tensor) -> Tensor:
    """Shift a kernel by whole pixels, so that its centroid is nearest to the middle."""
    size = int(kernel.shape[0])
    row, column = (-round(place) for place in centroid(kernel))
    wide = F.pad(kernel, (size,) * 4)
    moved = wide[size - row : 2 * size - row, size - column : 2 * size - column]
    return moved / moved.sum()
