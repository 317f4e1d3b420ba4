"""Steps of blind deconvolution: a sharp image from a kernel, and a kernel from a sharp image.

Images are (H, W) and in [0, 1], kernels (k, k) for convolution: ``blurred(x)`` is the sum over u of
``kernel(u) * sharp(x - u)``.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DARK_SIZE = 35
"""Side of the window of the dark channel, in pixels."""
_MOST_BETA = 1e5
_MOST_DARK_BETA = 8.0
_KERNEL_WEIGHT = 2.0
_STEPS = 20
_TOLERANCE = 1e-5


def continue_smoothly(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge an image downwards and to the right, so that it is smooth across all borders.

    The new pixels have a Laplacian of zero and continue the image periodically.

    Args:
        image: Shape (H, W).
        size: (height, width) of the result, each at least 3 pixels more than the image's.

    Returns:
        Shape ``size``; its first H x W pixels are the image.

    Source:
        Liu, Jia, Reducing boundary artifacts in image deconvolution, ICIP 2008.
    """
    height, width = image.shape
    more_rows, more_columns = size[0] - height, size[1] - width
    below = _between(image[-1], image[0], more_rows)
    right = _between(image[:, -1], image[:, 0], more_columns).T
    # The corner is bounded by what was filled in already.
    bounds = image.new_zeros(more_rows + 2, more_columns + 2)
    bounds[0, 1:-1], bounds[-1, 1:-1] = right[-1], right[0]
    bounds[1:-1, 0], bounds[1:-1, -1] = below[:, -1], below[:, 0]
    corner = _solve_laplace(bounds)
    return torch.cat([torch.cat([image, right], 1), torch.cat([below, corner], 1)])


def _between(first: Tensor, last: Tensor, count: int) -> Tensor:
    """Fill ``count`` rows between two, which are n wide: shape (count, n)."""
    share = torch.linspace(0, 1, count + 2, dtype=first.dtype, device=first.device)[:, None]
    bounds = first.new_zeros(count + 2, len(first))
    bounds[0], bounds[-1] = first, last
    bounds[:, :1] = first[0] + share * (last[0] - first[0])
    bounds[:, -1:] = first[-1] + share * (last[-1] - first[-1])
    inner = _solve_laplace(bounds)
    return torch.cat([bounds[1:-1, :1], inner, bounds[1:-1, -1:]], 1)


def _solve_laplace(bounds: Tensor) -> Tensor:
    """Return the inside of a rectangle whose border is given, by sine transforms."""
    load = bounds.new_zeros(bounds.shape[0] - 2, bounds.shape[1] - 2)
    load[0] -= bounds[0, 1:-1]
    load[-1] -= bounds[-1, 1:-1]
    load[:, 0] -= bounds[1:-1, 0]
    load[:, -1] -= bounds[1:-1, -1]
    (rows, down), (columns, across) = (_sines(int(n), bounds) for n in load.shape)
    inner = rows @ load @ columns / (down[:, None] + across[None, :])
    return rows @ inner @ columns


def _sines(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the orthonormal sine transform and the second difference's eigenvalues."""
    number = torch.arange(1, count + 1, dtype=torch.float64)
    phase = torch.outer(number, number) * (math.pi / (count + 1))
    matrix = phase.sin() * math.sqrt(2 / (count + 1))
    values = 2 * (number * (math.pi / (count + 1))).cos() - 2
    return matrix.to(like), values.to(like)


def fast_size(least: int) -> int:
    """Return the smallest size, at least ``least``, whose prime factors are 2, 3, 5 or 7."""
    size = least
    while True:
        rest = size
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1


def sharpen(blurred: Tensor, kernel: Tensor, dark_weight: float, gradient_weight: float) -> Tensor:
    """Estimate the sharp image: few gradients and few dark-channel values differ from zero.

    Minimises ``|sharp * kernel - blurred|^2 + dark_weight |dark(sharp)|_0 + gradient_weight
    |grad(sharp)|_0`` by half-quadratic splitting, both penalties doubling from round to round.

    Args:
        blurred: The image, of a size that Fourier transforms like, smooth across its borders.
        kernel: Shape (k, k).
        dark_weight: Weight of the dark channel.
        gradient_weight: Weight of the gradients.

    Returns:
        Shape (H, W), not clipped.
    """
    height, width = (int(side) for side in blurred.shape)
    transfer = _transfer(kernel, (height, width))
    data = transfer.conj() * torch.fft.rfft2(blurred)
    power = transfer.real.square() + transfer.imag.square()
    # The eigenvalues of the two circular differences' sum of squares.
    rows = torch.arange(height, dtype=blurred.dtype, device=blurred.device)
    columns = torch.arange(width // 2 + 1, dtype=blurred.dtype, device=blurred.device)
    slopes = (2 - 2 * (rows * (2 * math.pi / height)).cos())[:, None] + (
        2 - 2 * (columns * (2 * math.pi / width)).cos()
    )
    sharp = blurred
    dark_beta = dark_weight / _otsu(blurred.square())
    while dark_beta < _MOST_DARK_BETA:
        dark = dark_beta * torch.fft.rfft2(_darkened(sharp, dark_weight / dark_beta))
        beta = 2 * gradient_weight
        while beta < _MOST_BETA:
            right = sharp.roll(-1, 1) - sharp
            down = sharp.roll(-1, 0) - sharp
            kept = right.square() + down.square() >= gradient_weight / beta
            right, down = right * kept, down * kept
            divergence = right.roll(1, 1) - right + down.roll(1, 0) - down
            wanted = data + dark + beta * torch.fft.rfft2(divergence)
            wanted = wanted / (power + dark_beta + beta * slopes)
            sharp = torch.fft.irfft2(wanted, s=(height, width))
            beta *= 2
        dark_beta *= 2
    return sharp


def _darkened(image: Tensor, limit: float) -> Tensor:
    """Set the pixels to 0 that are the darkest of a window, if their square is below the limit."""
    half = DARK_SIZE // 2
    darkest = -_largest(-image)
    # A pixel is the darkest of some window if no window around it has a darker one.
    is_darkest = _largest(darkest) >= image
    chosen = is_darkest & (image.square() < limit)
    inside = torch.zeros_like(chosen)
    inside[half:-half, half:-half] = True
    return image.masked_fill(chosen & inside, 0)


def _largest(image: Tensor) -> Tensor:
    """Return the largest value of the window around each pixel."""
    return _running_largest(_running_largest(image).T).T


def _running_largest(image: Tensor) -> Tensor:
    """Return the largest of each pixel and its neighbours above and below, by doubling spans."""
    half, span = DARK_SIZE // 2, 1
    found = F.pad(image, (0, 0, half, half), value=-math.inf)
    while 2 * span <= DARK_SIZE:
        found = torch.maximum(found[span:], found[:-span])
        span *= 2
    return torch.maximum(found[DARK_SIZE - span :], found[: len(image)])


def _otsu(image: Tensor) -> float:
    """Return Otsu's threshold, as a share of white and above 0."""
    levels = (image * 255).round().clamp(0, 255).cpu().numpy().astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return max(float(threshold), 1.0) / 255


def _transfer(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the transform of a kernel whose middle is the origin."""
    half = int(kernel.shape[0]) // 2
    padded = F.pad(kernel, (0, size[1] - kernel.shape[1], 0, size[0] - kernel.shape[0]))
    return torch.fft.rfft2(padded.roll((-half, -half), (0, 1)))


def differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences across columns and rows, each of shape (H - 1, W - 1)."""
    return image[1:, 1:] - image[1:, :-1], image[1:, 1:] - image[:-1, 1:]


def gradient_limit(image: Tensor, kernel_size: int) -> float:
    """Return the squared gradient that enough pixels of each of four directions exceed.

    Args:
        image: Shape (H, W).
        kernel_size: Enough are 20 pixels for each of the kernel's sides.

    Source:
        Cho, Lee, Fast motion deblurring, SIGGRAPH Asia 2009.
    """
    across, down = differences(image)
    strength = across.square() + down.square()
    angle = torch.atan(down / across)
    least, quarter = max(20 * kernel_size, 10), math.pi / 4
    limits = []
    for number in (-2, -1, 0, 1):
        chosen = strength[(angle >= number * quarter) & (angle < (number + 1) * quarter)]
        if len(chosen) < least:
            return 0.0
        limits.append(float(chosen.topk(least).values[-1]))
    return min(limits)


def strong_differences(image: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Return the differences, those of a squared gradient below the limit as 0.

    The limit is lowered until a gradient is left.
    """
    across, down = differences(image)
    strength = across.square() + down.square()
    limit = min(limit, float(strength.max()))
    weak = strength < limit
    return across.masked_fill(weak, 0), down.masked_fill(weak, 0)


def fit_kernel(
    blurred: tuple[Tensor, Tensor], sharp: tuple[Tensor, Tensor], kernel_size: int
) -> Tensor:
    """Fit a kernel to differences of the blurred and of the sharp image, by conjugate gradients.

    Minimises ``|sharp * kernel - blurred|^2 + 2 |kernel|^2``. As borders are circular, the normal
    equations need the images' correlations at small shifts alone.

    Args:
        blurred: Differences across columns and rows.
        sharp: Those of the sharp image, of the same size.
        kernel_size: The kernel's side k, odd, at most half of the images' sides.

    Returns:
        Shape (k, k), not negative, sum 1; taps below a twentieth of the largest are 0.
    """
    size = blurred[0].shape
    theirs = [torch.fft.rfft2(one) for one in sharp]
    ours = [torch.fft.rfft2(one) for one in blurred]
    cross = sum((a.conj() * b for a, b in zip(theirs, ours, strict=True)), torch.zeros(()))
    own = sum((a.conj() * a for a in theirs), torch.zeros(()))
    wanted = _middle(torch.fft.irfft2(cross, s=tuple(size)), kernel_size)
    shifted = _middle(torch.fft.irfft2(own, s=tuple(size)), 2 * kernel_size - 1)

    def normal(kernel: Tensor) -> Tensor:
        # The autocorrelation is symmetric, so correlation and convolution with it are the same.
        made = F.conv2d(shifted[None, None], kernel.flip(0, 1)[None, None])
        return made[0, 0] + _KERNEL_WEIGHT * kernel

    kernel = torch.full_like(wanted, 1 / kernel_size**2)
    rest = wanted - normal(kernel)
    step, square = rest, rest.square().sum()
    for _ in range(_STEPS):
        if float(square) < _TOLERANCE**2:
            break
        turned = normal(step)
        length = square / (step * turned).sum()
        kernel = kernel + length * step
        rest = rest - length * turned
        before, square = square, rest.square().sum()
        step = rest + square / before * step
    kernel = kernel.masked_fill(kernel < 0.05 * kernel.max(), 0)
    return kernel / kernel.sum()


def _middle(correlation: Tensor, size: int) -> Tensor:
    """Cut the window of small shifts out of a circular correlation."""
    half = size // 2
    return correlation.roll((half, half), (0, 1))[:size, :size]


def without_islands(kernel: Tensor, least: float = 0.1) -> Tensor:
    """Remove connected parts of a kernel that hold less than a share of its mass.

    Args:
        kernel: Shape (k, k), not negative, sum 1.
        least: The smallest mass of a part; the heaviest part always stays.

    Returns:
        Shape (k, k), sum 1.
    """
    taken = (kernel > 0).cpu().numpy().astype(np.uint8)
    count, labels = cv2.connectedComponents(taken, connectivity=8)
    parts = torch.from_numpy(labels).to(kernel.device)
    masses = [float(kernel[parts == number].sum()) for number in range(1, count)]
    least = min(least, max(masses))
    kept = torch.zeros_like(kernel)
    for number, mass in enumerate(masses, start=1):
        if mass >= least:
            kept = kept + kernel * (parts == number)
    return kept / kept.sum()
