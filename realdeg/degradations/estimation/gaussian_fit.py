"""The Gaussian blur that, before bicubic reduction, comes nearest to an estimated kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from realdeg.degradations.primitives.kernels import centred, gaussian_kernel
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce, placed

_NARROWEST, _WIDEST = 0.1, 10.0
_STARTS = (0.5, 1.0, 2.0, 4.0)
_SIDE_OF_SIGMA = 6.0


@dataclass(frozen=True)
class GaussianFit:
    """A Gaussian blur before bicubic reduction.

    Args:
        sigma_x: Standard deviation along the first axis in HR pixels, 0.1 to 10.
        sigma_y: Along the second.
        angle: From the horizontal to the first axis, in radians, -pi / 2 to pi / 2.
        difference: Sum of the absolute differences of both kernels of the whole reduction.
    """

    sigma_x: float
    sigma_y: float
    angle: float
    difference: float

    def kernel(self, side: int) -> Tensor:
        """Return it as a kernel, (side, side), around the middle of the window."""
        return gaussian_kernel(side, self.sigma_x, self.sigma_y, self.angle)


def fit_gaussian(kernel: Tensor, scale: int, isotropic: bool = False) -> GaussianFit:
    """Explain the kernel of a whole reduction by a Gaussian blur and bicubic interpolation.

    Networks such as SRMD are told the blur before bicubic reduction, while estimators find the
    kernel of both together. The squared difference is minimised by Nelder and Mead's simplex from
    several widths.

    Args:
        kernel: (k, k) with sum 1, of estimators' convention.
        scale: HR pixels per LR pixel.
        isotropic: Whether both widths are equal.

    Returns:
        The Gaussian, and how far the two kernels are apart.
    """
    from scipy.optimize import minimize

    wanted = centred(kernel, scale)

    def parameters(x: np.ndarray) -> tuple[float, float, float]:
        widths = [float(np.clip(math.exp(one), _NARROWEST, _WIDEST)) for one in x[:2]]
        return widths[0], widths[-1], float(x[2]) if len(x) > 2 else 0.0

    def difference(x: np.ndarray) -> Tensor:
        first, second, angle = parameters(x)
        side = 2 * math.ceil(_SIDE_OF_SIGMA * max(first, second) / 2) + 3
        made = blur_and_reduce(gaussian_kernel(side, first, second, angle).double(), scale)
        return _difference(made, wanted, scale)

    starts = [[math.log(width)] for width in _STARTS]
    if not isotropic:
        starts = [
            [math.log(1.3 * width), math.log(width / 1.3), angle]
            for width in _STARTS
            for angle in (0.0, math.pi / 4, math.pi / 2, -math.pi / 4)
        ]
    begun = min(starts, key=lambda x: float(difference(np.asarray(x)).square().sum()))
    found = minimize(
        lambda x: float(difference(x).square().sum()),
        np.asarray(begun),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-9, "maxiter": 300},
    )
    first, second, angle = parameters(found.x)
    angle = (angle + math.pi / 2) % math.pi - math.pi / 2
    return GaussianFit(first, second, angle, float(difference(found.x).abs().sum()))


def _difference(one: Tensor, other: Tensor, scale: int) -> Tensor:
    """Subtract two kernels of reductions by the same scale."""
    least = max(one.shape[-1], other.shape[-1]) + scale + 2
    first, second = (
        placed(kernel.double(), (scale - int(kernel.shape[-1])) // 2, scale, least)
        for kernel in (one, other)
    )
    return first - second
