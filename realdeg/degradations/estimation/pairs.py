"""Blur kernels of single patches of real pairs, by regularised least squares.

A single patch does not determine most taps, as natural images hold little beyond the low
frequencies. So kernels are estimated in steps, each regularised towards the one before: a Gaussian,
the kernel of all pairs, the kernel of a patch. The strength is chosen by cross-validation over
blocks, since residuals are correlated between pixels: over pairs for the common kernel, over
quarters of the patch for its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from realdeg.degradations.global_kernel import GlobalKernel
from realdeg.degradations.primitives.kernel_moments import (
    centroid,
    second_moments,
    shift_to_centroid,
)
from realdeg.degradations.primitives.kernels import centre_rest, gaussian_kernel
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import to_colour

# Strengths of the regularisation to try, relative to the largest eigenvalue of the problem.
_STRENGTHS = torch.logspace(-8, 1, 28, dtype=torch.float64)
_FOLDS = 5
# Real HR holds little at high frequencies, so irregular kernels predict slightly better than smooth
# ones. The strongest regularisation wins whose mean squared error on held-out data is within this
# factor of the smallest.
_TOLERANCE = 1.1
# Changes of a kernel whose variance is below this share of the largest are omitted.
_LIKELY = 1e-2
# Widths of the Gaussian that the search starts from, in LR pixels.
_WIDTHS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class PairCriteria:
    """Criteria for accepting the kernel of a patch. Grey levels are from 0 to 255.

    Args:
        least_deviation: Minimum standard deviation of the LR patch, grey levels.
        largest_residual: Maximum root mean square of the residual, grey levels.
        largest_gain_error: Maximum distance from 1 of the kernel's sum before normalisation: a
            change of exposure, or a failed fit.
        largest_shift: Maximum distance of the kernel's centroid from the LR pixel's centre, in HR
            pixels per unit of scale; beyond it, pairs are misregistered.
        largest_negative: Share of negative mass, of the sum of the taps' magnitudes.
    """

    least_deviation: float = 8.0
    largest_residual: float = 8.0
    largest_gain_error: float = 0.1
    largest_shift: float = 0.75
    largest_negative: float = 0.2

    def rejection(self, record: dict[str, Any], scale: int) -> str | None:
        """Return why a kernel with a record of :func:`patch_kernels` is rejected, or None.

        A record without a residual, of an image without HR, is judged by the rest.

        Reasons are ``"flat"``, ``"residual"``, ``"gain"``, ``"shift"`` and ``"negative"``.
        """
        if record["deviation"] < self.least_deviation:
            return "flat"
        if not record.get("residual", 0.0) <= self.largest_residual:
            return "residual"
        if abs(record["gain"] - 1) > self.largest_gain_error:
            return "gain"
        if not math.hypot(*record["shift"]) <= self.largest_shift * scale:
            return "shift"
        if not record["negative"] <= self.largest_negative:
            return "negative"
        return None


@dataclass(frozen=True)
class PatchKernel:
    """The kernel of one patch of a pair.

    Args:
        kernel: Centred on the LR pixel, sum 1, float64, shape (k, k); None where the patch was
            rejected.
        record: ``row`` and ``column`` of the patch (LR pixels), ``deviation`` and ``residual``
            (grey levels), ``gain`` (sum), ``shift`` ((row, column), HR pixels) and ``negative``
            before the kernel was centred and divided by its sum, ``width`` (equivalent standard
            deviation, HR pixels), ``decided`` (effective number of parameters determined by the
            patch).
        rejection: Why the patch was rejected, or None.
    """

    kernel: Tensor | None
    record: dict[str, Any]
    rejection: str | None


class _Problem(GlobalKernel):
    """GlobalKernel's normal equations, with the power of the targets."""

    def __init__(self, scale: int, same_size: bool, kernel_size: int) -> None:
        super().__init__(scale, same_size, kernel_size)
        self.power, self.total = 0.0, 0.0

    @torch.no_grad()
    def accumulate(self, hr: Tensor, lr: Tensor) -> None:
        before = self._count
        super().accumulate(hr, lr)
        start = (self.stride - self.kernel_size) // 2
        first = -(start // self.stride)
        corner = self.stride * first + start
        columns = (hr.shape[3] - self.kernel_size - corner) // self.stride + 1
        rows = (self._count - before) // (columns * hr.shape[0])
        inside = to_colour(lr, "y").double()[..., first : first + rows, first : first + columns]
        self.power += float(inside.square().sum())
        self.total += float(inside.sum())

    def equations(self) -> _Equations:
        assert self._products is not None and self._targets is not None
        sums = (self._products.cpu(), self._targets.cpu(), self.power, self.total, self._count)
        return _Equations(*sums)


@dataclass(frozen=True)
class _Equations:
    """X'X, X'y, y'y, the sum of y and the number of windows, all additive."""

    products: Tensor
    targets: Tensor
    power: float
    total: float
    count: int

    def plus(self, other: _Equations, sign: int = 1) -> _Equations:
        return _Equations(
            self.products + sign * other.products,
            self.targets + sign * other.targets,
            self.power + sign * other.power,
            self.total + sign * other.total,
            self.count + sign * other.count,
        )

    def residuals(self, kernels: Tensor) -> Tensor:
        """Return the residual sums of squares of kernels, shape (S, taps)."""
        explained = 2 * kernels @ self.targets - ((kernels @ self.products) * kernels).sum(1)
        return (self.power - explained).clamp(min=0)

    @property
    def variance(self) -> float:
        return max(self.power / self.count - (self.total / self.count) ** 2, 0.0)


def common_kernel(
    pairs: Iterable[tuple[Tensor, Tensor]],
    scale: int,
    same_size: bool,
    kernel_size: int | None = None,
) -> GlobalKernel:
    """Fit one kernel to all pairs, near the best Gaussian.

    Args:
        pairs: (HR, LR), each (1, C, H, W).
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side k; None takes ``4 * scale + 5``, so 21 for scale 4. Smaller windows
            truncate real kernels, which shows as a ring of taps at the border.

    Returns:
        The fitted degradation.

    Raises:
        DataError: If there are no pairs.
        GeometryError: If sizes do not match.
    """
    size = 4 * scale + 5 if kernel_size is None else kernel_size
    degradation = GlobalKernel(scale, same_size, size)
    folds: list[_Equations | None] = [None] * _FOLDS
    for number, (hr, lr) in enumerate(pairs):
        problem = _Problem(scale, same_size, size)
        problem.accumulate(hr, lr)
        before = folds[number % _FOLDS]
        new = problem.equations()
        folds[number % _FOLDS] = new if before is None else before.plus(new)
    blocks = [fold for fold in folds if fold is not None]
    if not blocks:
        raise DataError("there are no pairs to find kernels in.")
    whole = _sum(blocks)
    rest = centre_rest(size, degradation.stride)
    starts = torch.stack(
        [gaussian_kernel(size, w * scale, centre=(rest, rest)).reshape(-1) for w in _WIDTHS]
    )
    start = starts[int(whole.residuals(starts).argmin())]
    # A single pair leaves none to validate on, so the Gaussian itself is taken.
    found = _near(blocks, start, _likely_changes(size, scale))[0] if len(blocks) > 1 else start
    with torch.no_grad():
        degradation.kernel.copy_(found.view(size, size))
    degradation.mark_trained()
    return degradation


def patch_kernels(
    hr: Tensor,
    lr: Tensor,
    common: GlobalKernel,
    patch: int = 32,
    criteria: PairCriteria | None = None,
    centre: bool = True,
) -> list[PatchKernel]:
    """Estimate a kernel in each patch of a pair.

    Args:
        hr: HR image, RGB or Y, shape (1, C, H, W).
        lr: Real LR image, shape (1, C, H / stride, W / stride).
        common: The kernel of all pairs (:func:`common_kernel`), with scale, grid and kernel size.
        patch: Side of the patches in LR pixels; they do not overlap.
        criteria: Criteria for accepting a kernel; None takes the defaults.
        centre: Whether kernels are shifted so that their centroid is at the LR pixel's centre;
            shifts in real pairs are mostly misregistration, not blur.

    Returns:
        One entry per patch, row by row.

    Raises:
        GeometryError: If the sizes do not match.
        DataError: If the image is smaller than a patch and a kernel.
        ConfigError: If the patch is odd or below 8 pixels.
    """
    criteria = criteria or PairCriteria()
    stride, size = common.stride, common.kernel_size
    # LR pixels around the patch whose HR pixels the windows at its border need.
    margin = -((stride - size) // 2 // stride)
    height, width = int(lr.shape[2]), int(lr.shape[3])
    if patch < 8 or patch % 2:
        raise ConfigError(f"a patch has an even number of at least 8 LR pixels, got {patch}.")
    if min(height, width) < patch + 2 * margin:
        raise DataError(
            f"an LR image of {height} x {width} is smaller than a patch of {patch} pixels and the"
            f" {margin} around it: use smaller patches."
        )
    common.check_input(hr)
    found = []
    half = patch // 2
    for row in range(margin, height - patch - margin + 1, patch):
        for column in range(margin, width - patch - margin + 1, patch):
            blocks = []
            for top in (row, row + half):
                for left in (column, column + half):
                    rows = slice(top - margin, top + half + margin)
                    columns = slice(left - margin, left + half + margin)
                    problem = _Problem(common.scale, common.same_size, size)
                    wide = [slice(s.start * stride, s.stop * stride) for s in (rows, columns)]
                    problem.accumulate(hr[..., wide[0], wide[1]], lr[..., rows, columns])
                    blocks.append(problem.equations())
            where = {"row": row, "column": column}
            found.append(_estimate(blocks, common, criteria, centre, where))
    return found


def _estimate(
    blocks: list[_Equations],
    common: GlobalKernel,
    criteria: PairCriteria,
    centre: bool,
    where: dict[str, Any],
) -> PatchKernel:
    whole = _sum(blocks)
    record: dict[str, Any] = {**where, "deviation": round(math.sqrt(whole.variance) * 255, 3)}
    if record["deviation"] < criteria.least_deviation:  # before the costly eigenvalues
        return PatchKernel(None, record, "flat")
    size, scale = common.kernel_size, common.scale
    start = common.kernel.detach().double().cpu().reshape(-1)
    kernel, decided = _near(blocks, start, _likely_changes(size, scale))
    residual = float(whole.residuals(kernel[None])) / whole.count
    record.update(residual=round(math.sqrt(residual) * 255, 3), decided=round(decided, 1))
    return judged(kernel.view(size, size), record, criteria, scale, common.stride, centre)


def judged(
    kernel: Tensor,
    record: dict[str, Any],
    criteria: PairCriteria,
    scale: int,
    stride: int,
    centre: bool = True,
) -> PatchKernel:
    """Measure a kernel, and reject it or give it sum 1 and its centroid the LR pixel's place.

    Args:
        kernel: (k, k), float64.
        record: What is known of it: ``deviation``, and ``residual`` where there is HR. ``gain``,
            ``shift``, ``negative`` and ``width`` are added.
        criteria: Criteria for accepting it.
        scale: The scale factor.
        stride: HR pixels per LR pixel on the grid.
        centre: Whether it is shifted.
    """
    gain = float(kernel.sum())
    rest = centre_rest(int(kernel.shape[-1]), stride)
    row, column = centroid(kernel) if abs(gain) > 0.1 else (math.inf, math.inf)
    magnitude = float(kernel.abs().sum())
    record.update(
        gain=round(gain, 4),
        shift=[round(row - rest, 3), round(column - rest, 3)],
        negative=round(float((-kernel).clamp(min=0).sum()) / magnitude, 4),
    )
    reason = criteria.rejection(record, scale)
    if reason:
        return PatchKernel(None, record, reason)
    kernel = kernel / gain
    if centre:
        try:
            kernel = shift_to_centroid(kernel, (rest, rest))
        except ValueError:  # faint outer taps move the centroid as much as the kernel
            return PatchKernel(None, record, "shift")
    # Of squared taps, as faint outer ones would dominate. This halves a Gaussian's variance.
    record["width"] = round(math.sqrt(float(second_moments(kernel.square()).trace())), 3)
    return PatchKernel(kernel, record, None)


def _near(blocks: list[_Equations], start: Tensor, root: Tensor) -> tuple[Tensor, float]:
    """Minimise |X k - y|^2 + t |L^-1 (k - start)|^2, with the largest t that predicts well.

    ``blocks`` are at least two, ``start`` is (taps,) and ``root`` L, (taps, changes). Return the
    kernel and the effective number of parameters.
    """
    whole = _sum(blocks)
    most = float(torch.linalg.eigvalsh(root.T @ whole.products @ root)[-1])
    errors = torch.zeros_like(_STRENGTHS)
    for block in blocks:
        kernels, _ = _pulled(whole.plus(block, -1), start, root, most)
        errors += block.residuals(kernels)
    best = int((errors <= _TOLERANCE * errors.min()).nonzero().max())
    kernels, freedom = _pulled(whole, start, root, most)
    return kernels[best], float(freedom[best])


def _pulled(
    equations: _Equations, start: Tensor, root: Tensor, most: float
) -> tuple[Tensor, Tensor]:
    """Solve for every strength: kernels (S, taps) and effective numbers of parameters (S,)."""
    # With z = L^-1 (k - start) the problem is an ordinary ridge regression around zero.
    values, vectors = torch.linalg.eigh(root.T @ equations.products @ root)
    values = values.clamp(min=0)
    rest = equations.targets - equations.products @ start
    damped = values + _STRENGTHS[:, None] * most
    changes = (vectors.T @ (root.T @ rest)) / damped
    return start + changes @ (root @ vectors).T, (values / damped).sum(1)


def _sum(blocks: list[_Equations]) -> _Equations:
    return functools.reduce(_Equations.plus, blocks)


@functools.lru_cache(maxsize=8)
def _likely_changes(size: int, scale: int) -> Tensor:
    """Return a root L of the prior covariance of a kernel's change: smooth, near the middle.

    Lens and sensor blur smoothly, over about one LR pixel; the tails of the window hardly change.
    """
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    envelope = torch.exp(-0.5 * (axis / scale).square())
    distance = axis[:, None] - axis[None, :]
    smooth = torch.exp(-0.5 * (distance / (0.3 * scale)).square())
    # The covariance is a product of rows and columns, and so is its root. Unlikely changes are
    # omitted, which makes the problem several times smaller.
    values, vectors = torch.linalg.eigh(envelope[:, None] * smooth * envelope[None, :])
    both = torch.outer(values, values).flatten()
    root = torch.kron(vectors, vectors) * both.clamp(min=0).sqrt()
    return root[:, both > _LIKELY * values[-1].square()]
