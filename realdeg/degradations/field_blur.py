"""Blur and reduction by given kernels, one for each LR pixel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives.kernels import SUM_TOLERANCE
from realdeg.degradations.windowed import Padding, WindowedDegradation
from realdeg.errors import GeometryError
from realdeg.ops import kernel_apply
from realdeg.utils.component import component_hash
from realdeg.utils.precision import full_precision


class FieldBlur(WindowedDegradation):
    """What an estimated field of kernels does to HR: for back-projection of one image.

    It is not registered, so no config names it and no file holds it: its arguments are tensors, and
    they hold for images of one size alone. Build it of ``KernelEstimate``'s ``field``, or of one
    kernel for all pixels. To degrade other images with estimated kernels, collect them in a pool
    (``realdeg extract_pools fields``) for :class:`~realdeg.degradations.KernelPool`.

    Args:
        basis: Kernels of the convention of estimators, (N, k, k).
        weights: Their share at each LR pixel, (N, h, w); the kernel of each pixel sums to 1.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, stride * h, stride * w) to LR (B, C, h, w).

    Raises:
        GeometryError: If the shapes do not fit each other, or a kernel does not sum to 1.
    """

    basis: Tensor
    weights: Tensor

    def __init__(
        self,
        basis: Tensor,
        weights: Tensor,
        scale: Scale = 4,
        same_size: bool = False,
        padding: Padding = "reflect",
    ) -> None:
        fits = basis.ndim == weights.ndim == 3 and len(basis) == len(weights) > 0
        if not fits or basis.shape[1] != basis.shape[2]:
            raise GeometryError(
                "FieldBlur takes basis kernels (N, k, k) and weights (N, h, w), got"
                f" {tuple(basis.shape)} and {tuple(weights.shape)}."
            )
        sums = torch.einsum("nhw,n->hw", weights.double(), basis.double().sum((1, 2)))
        if not bool(((sums - 1).abs() < SUM_TOLERANCE).all()):  # NaN fails, too
            raise GeometryError(
                f"FieldBlur: kernels of pixels sum to {float(sums.min()):.4g} to"
                f" {float(sums.max()):.4g}, wanted 1."
            )
        super().__init__(scale, same_size, int(basis.shape[-1]), padding)
        self.register_buffer("basis", basis.detach().float().clone())
        self.register_buffer("weights", weights.detach().float().clone())

    @property
    def arguments(self) -> dict[str, Any]:
        """The plain arguments; the tensors are in the state dict."""
        given = super().arguments
        return {name: given[name] for name in ("scale", "same_size", "padding")}

    def trace_params(self) -> dict[str, Any]:
        """Return the geometry, and a hash of the field: only the same field replays a trace."""
        field = component_hash(type(self).__name__, self.arguments, self.state_dict())
        return {**super().trace_params(), "field": field}

    def generate(self, hr: Tensor) -> Tensor:
        """Filter each pixel with its own kernel.

        Raises:
            GeometryError: If HR has another size than the field.
        """
        wanted = tuple(int(side) * self.stride for side in self.weights.shape[1:])
        if tuple(hr.shape[2:]) != wanted:
            raise GeometryError(
                f"FieldBlur holds the kernels of an HR image of {wanted[0]} x {wanted[1]}, got"
                f" {hr.shape[2]} x {hr.shape[3]}."
            )
        with full_precision(hr):
            weights = self.weights.to(hr).expand(hr.shape[0], -1, -1, -1)
            return kernel_apply(hr, weights, self.basis.to(hr), self.stride, self.padding)

    def kernels_at(self, hr: Tensor, points: Any) -> Tensor:
        """Return the kernels at (row, column) of LR pixels, (P, k, k)."""
        rows, columns = ([point[axis] for point in points] for axis in (0, 1))
        return torch.einsum("np,nij->pij", self.weights[:, rows, columns], self.basis)
