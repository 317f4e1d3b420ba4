"""The effective kernel of a degradation: the least-squares fit over a set of images.

Every degradation has one, including a camera or a chain of random steps, so kernels can be compared
even if no true ones are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.errors import DataError

# Windows unfolded at once: 225 taps of 2**15 windows are 59 MB in float64.
_WINDOWS_AT_ONCE = 1 << 15
# Weight of the kernels' curvature, as a fraction of the mean variance of a tap. Photos have too
# little energy at the highest HR frequencies to determine those of a kernel; without this they are
# noise. A Gaussian kernel under noise of 2.5 levels is recovered within 2 % (docs/metrics.md).
SMOOTHNESS = 0.03


@dataclass
class NormalEquations:
    """Sums of a least-squares problem: HR windows against the LR pixels of N images.

    Args:
        products: Windows with themselves, float64, shape (k k, k k).
        targets: Windows with the LR pixels, shape (N, k k).
        count: The number of windows.
    """

    products: Tensor
    targets: Tensor
    count: int

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return NormalEquations(
            self.products + other.products,
            self.targets + other.targets,
            self.count + other.count,
        )

    def kernels(self) -> Tensor:
        """Return the best smooth kernel of each image: correlation kernels, shape (N, k, k)."""
        size = math.isqrt(self.products.shape[0])
        bend = _curvature(size) * (SMOOTHNESS * float(self.products.trace()) / size**2)
        columns: Tensor = torch.linalg.solve(self.products + bend, self.targets.T)
        return columns.T.reshape(-1, size, size)


def _curvature(size: int) -> Tensor:
    """Return the quadratic form of a kernel's squared Laplacian, zero outside its support."""
    second = -2 * torch.eye(size, dtype=torch.float64)
    second += torch.diag(torch.ones(size - 1, dtype=torch.float64), 1)
    second += torch.diag(torch.ones(size - 1, dtype=torch.float64), -1)
    one = torch.eye(size, dtype=torch.float64)
    laplacian = torch.kron(second, one) + torch.kron(one, second)
    return laplacian @ laplacian


def normal_equations(
    hr: Tensor, images: Tensor, stride: int, kernel_size: int, most: int = 1 << 16
) -> NormalEquations:
    """Set up the least-squares problem of one scene.

    Means are subtracted on both sides, because a constant offset does not concern the kernel.

    Args:
        hr: Y of the HR image, levels, float64, shape (stride h, stride w).
        images: Y of LR images of this scene, shape (N, h, w).
        stride: HR pixels per LR pixel; the window of LR pixel i starts at HR pixel
            ``stride * i + floor((stride - k) / 2)``.
        kernel_size: Side k.
        most: Most windows; a larger image uses every second, third, ... row and column.

    Returns:
        The sums over all windows inside the image.

    Raises:
        DataError: If no window lies inside the image.
    """
    start = (stride - kernel_size) // 2
    first = -(start // stride)
    corner = stride * first + start
    rows, columns = ((side - kernel_size - corner) // stride + 1 for side in hr.shape)
    if rows < 1 or columns < 1:
        raise DataError(
            f"an HR image of {hr.shape[0]} x {hr.shape[1]} px, border cropped, has no whole window"
            f" of {kernel_size} x {kernel_size} px for an effective kernel."
        )
    every = math.ceil(math.sqrt(rows * columns / most)) if rows * columns > most else 1
    rows, columns = -(-rows // every), -(-columns // every)
    step = stride * every
    taps = kernel_size**2
    products = torch.zeros(taps, taps, dtype=torch.float64)
    targets = torch.zeros(len(images), taps, dtype=torch.float64)
    centred = hr - hr.mean()
    pixels = images[:, first::every, first::every][:, :rows, :columns]
    pixels = pixels - images.mean((1, 2), keepdim=True)
    strip = max(1, _WINDOWS_AT_ONCE // columns)
    for top in range(0, rows, strip):
        height = min(strip, rows - top)
        part = centred[
            corner + top * step : corner + (top + height - 1) * step + kernel_size,
            corner : corner + (columns - 1) * step + kernel_size,
        ]
        windows = F.unfold(part[None, None], kernel_size, stride=step)[0]
        products.addmm_(windows, windows.T)
        targets += pixels[:, top : top + height].flatten(1) @ windows.T
    return NormalEquations(products, targets, rows * columns)


def kernel_widths(kernels: Tensor) -> Tensor:
    """Return the widths of kernels, (N, k, k) to (N,), in HR pixels.

    From the moments of the squared kernel, in which faint distant taps do not dominate: a Gaussian
    gives its sigma (from about 0.8 px on), a single tap gives 0.
    """
    energy = kernels.double().square()
    total = energy.sum((1, 2)).clamp_min(1e-12)
    variance = torch.zeros(len(kernels), dtype=torch.float64)
    for axis in (1, 2):
        profile = energy.sum(axis) / total[:, None]
        place = torch.arange(profile.shape[1], dtype=torch.float64)
        centre = (profile * place).sum(1, keepdim=True)
        variance += (profile * (place - centre) ** 2).sum(1)
    # The sum over two axes is twice their mean, and squaring halves a Gaussian's variance.
    return variance.sqrt()
