"""One blur kernel for the whole camera, by closed-form least squares: the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.windowed import Padding, WindowedDegradation, WindowSize
from realdeg.errors import DataError, GeometryError
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.colour import to_colour
from realdeg.utils.precision import full_precision

# Windows gathered at a time while fitting: 225 taps of 2**17 windows are 236 MB in float64.
_WINDOWS_AT_ONCE = 1 << 17
# Fraction of the largest eigenvalue of the windows' products below which only float64 rounding is
# left; rounding to 8 bit alone leaves 1e-8.
_LEAST_ENERGY = 1e-12


@DEGRADATIONS.register_module()
class GlobalKernel(WindowedDegradation):
    """Filters every pixel with the same k x k kernel.

    The kernel minimises the sum of squared differences of luma over all pairs given to
    :meth:`accumulate`, solved in float64. Only windows entirely inside the image count.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side k, 15 as for DML's bases.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "closed_form"

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: WindowSize = 15,
        padding: Padding = "reflect",
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding)
        # Before fitting: a mild blur at the LR pixel's centre.
        rest = centre_rest(kernel_size, self.stride)
        start = gaussian_kernel(kernel_size, 0.4 * self.stride, centre=(rest, rest))
        self.kernel = nn.Parameter(start.float())
        self._products: Tensor | None = None
        self._targets: Tensor | None = None
        self._count = 0

    @torch.no_grad()
    def accumulate(self, hr: Tensor, lr: Tensor) -> None:
        """Add pairs to the least-squares problem.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).
            lr: Real LR batch, shape (B, C, H / stride, W / stride).

        Raises:
            GeometryError: If the sizes do not match, or no window fits into the image.
        """
        self.check_input(hr)
        x, y = to_colour(hr, "y").double(), to_colour(lr, "y").double()
        if (x.shape[2], x.shape[3]) != (y.shape[2] * self.stride, y.shape[3] * self.stride):
            raise GeometryError(
                f"GlobalKernel x{self.scale} (same_size={self.same_size}) cannot be fitted to HR"
                f" {tuple(hr.shape)} and LR {tuple(lr.shape)}."
            )
        size, stride = self.kernel_size, self.stride
        start = (stride - size) // 2
        first = -(start // stride)  # the first LR pixel whose window starts inside
        rows = (x.shape[2] - size - (stride * first + start)) // stride + 1
        columns = (x.shape[3] - size - (stride * first + start)) // stride + 1
        if rows < 1 or columns < 1:
            raise GeometryError(
                f"an image of {x.shape[2]} x {x.shape[3]} holds no whole {size} x {size} window."
            )
        corner = stride * first + start
        x = x[..., corner:, corner : corner + (columns - 1) * stride + size]
        y = y[..., first : first + rows, first : first + columns]
        taps = size * size
        if self._products is None or self._targets is None:
            self._products = x.new_zeros(taps, taps)
            self._targets = x.new_zeros(taps)
        strip = max(1, _WINDOWS_AT_ONCE // columns)
        for image, target in zip(x, y, strict=True):
            for top in range(0, rows, strip):
                height = min(strip, rows - top)
                part = image[:, top * stride : (top + height - 1) * stride + size]
                windows = F.unfold(part[None], size, stride=stride)[0]
                self._products.addmm_(windows, windows.T)
                self._targets.addmv_(windows, target[0, top : top + height].reshape(-1))
                self._count += windows.shape[1]

    @torch.no_grad()
    def solve(self) -> float:
        """Set the kernel to the least-squares solution of all pairs so far.

        Returns:
            The condition number of the problem.

        Raises:
            DataError: If nothing was accumulated, or the images have too little texture to
                determine the kernel.
        """
        if self._products is None or self._targets is None or not self._count:
            raise DataError("GlobalKernel has no pairs to fit: call accumulate() first.")
        products, targets = self._products / self._count, self._targets / self._count
        taps = len(products)
        energies = torch.linalg.eigvalsh(products.cpu())  # ascending
        greatest = float(energies[-1])
        rank = int((energies > _LEAST_ENERGY * greatest).sum()) if greatest > 0 else 0
        if rank < taps:
            raise DataError(
                f"the pairs have too little texture to determine a {self.kernel_size} x"
                f" {self.kernel_size} kernel: their {self._count} windows tell {rank} of its {taps}"
                " taps apart (black or constant images tell 0 or 1, stripes one row). Give pairs"
                " with texture, or a smaller degradation.kernel_size."
            )
        solution = torch.linalg.lstsq(products.cpu(), targets.cpu()[:, None], driver="gelsd")
        self.kernel.copy_(solution.solution.view(self.kernel_size, self.kernel_size))
        self.mark_trained()
        return greatest / float(energies[0])

    def generate(self, hr: Tensor) -> Tensor:
        """Filter every pixel with the kernel."""
        ones = hr.new_ones(hr.shape[0], 1, hr.shape[2] // self.stride, hr.shape[3] // self.stride)
        with full_precision(hr):
            return kernel_apply(hr, ones, self.kernel[None], self.stride, self.padding)

    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the kernel once per point, shape (P, k, k)."""
        return self.kernel.expand(len(points), -1, -1)
