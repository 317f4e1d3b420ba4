"""Errors of a degradation's kernels against known true ones, pixel by pixel.

The true kernels of real cameras are unknown; those of the sample set's simulated camera are known.
Kernels are correlation kernels, stacks of shape (P, k, k), positioned on the HR grid as
``Degradation.kernels_at`` defines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.colour import to_colour
from realdeg.utils.place import Place
from realdeg.utils.streams import Stream

# Below this deviation of Y (five grey levels) a window hardly constrains its kernel.
TEXTURED = 5 / 255
# A kernel with a sum near zero has no centre; this keeps its errors finite.
_SMALLEST_SUM = 1e-3


def match_support(kernels: Tensor, truth: Tensor, stride: int = 1) -> tuple[Tensor, Tensor]:
    """Zero-pad the smaller of two stacks so that their taps lie on the same HR pixels.

    Args:
        kernels: Shape (P, k, k).
        truth: Shape (P, m, m).
        stride: HR pixels per LR pixel: windows start at ``floor((stride - k) / 2)``.

    Returns:
        Both in float64, with the larger support.

    Raises:
        DataError: If they are not stacks of equally many square kernels.
    """
    for stack in (kernels, truth):
        if stack.ndim != 3 or stack.shape[1] != stack.shape[2]:
            raise DataError(f"kernels come as (P, k, k), got shape {tuple(stack.shape)}.")
    if kernels.shape[0] != truth.shape[0]:
        raise DataError(f"{kernels.shape[0]} kernels cannot be compared with {truth.shape[0]}.")
    sizes = kernels.shape[1], truth.shape[1]
    size = max(sizes)
    start = math.floor((stride - size) / 2)
    padded = []
    for stack, own in zip((kernels, truth), sizes, strict=True):
        before = math.floor((stride - own) / 2) - start
        after = size - own - before
        padded.append(F.pad(stack.detach().double(), (before, after, before, after)))
    return padded[0], padded[1]


def gain(kernels: Tensor) -> Tensor:
    """Return the DC gain, the sum of each kernel: (P, k, k) to (P,)."""
    return kernels.sum((-2, -1))


def unit_sum(kernels: Tensor) -> Tensor:
    """Divide each kernel (P, k, k) by its sum."""
    total = gain(kernels)
    safe = total.abs().clamp_min(_SMALLEST_SUM) * torch.where(total < 0, -1, 1)
    return kernels / safe[:, None, None]


def centroid(kernels: Tensor) -> Tensor:
    """Return each kernel's centre of mass.

    Args:
        kernels: Shape (P, k, k).

    Returns:
        (row, column) in HR pixels from the middle of the window, shape (P, 2).
    """
    mass, taps = _mass_and_taps(kernels)
    return torch.stack([(mass.sum(2) * taps).sum(1), (mass.sum(1) * taps).sum(1)], 1)


def covariance(kernels: Tensor) -> Tensor:
    """Return each kernel's central second moments.

    Args:
        kernels: Shape (P, k, k).

    Returns:
        Rows and columns, in HR pixels squared, shape (P, 2, 2).
    """
    mass, taps = _mass_and_taps(kernels)
    centre = centroid(kernels)
    row = (taps - centre[:, :1])[:, :, None].expand_as(mass)
    column = (taps - centre[:, 1:])[:, None, :].expand_as(mass)
    offsets = torch.stack([row, column], 1)
    return torch.einsum("pkl,pikl,pjkl->pij", mass, offsets, offsets)


def relative_error(kernels: Tensor, truth: Tensor) -> Tensor:
    """Return ``||k - k*|| / ||k*||`` of each kernel: two stacks (P, k, k) to (P,)."""
    error: Tensor = (kernels - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
    return error


def kernel_errors(kernels: Tensor, truth: Tensor, stride: int = 1) -> dict[str, Tensor]:
    """Measure the distance of kernels from the true ones.

    Args:
        kernels: Shape (P, k, k).
        truth: Shape (P, m, m).
        stride: HR pixels per LR pixel, which places windows of different sizes.

    Returns:
        For each kernel, shape (P,): ``relative`` (:func:`relative_error`), ``relative_unit_sum``
        (the same after dividing each kernel by its sum), ``relative_aligned`` (the same after also
        moving its centre to the true one), ``centroid`` (distance of the centres, HR
        pixels), ``second_moment`` (Frobenius norm of the difference of the covariances, HR pixels
        squared) and ``gain`` (difference of the sums, unsigned).

    Raises:
        DataError: If the stacks do not match.
    """
    kernels, truth = match_support(kernels, truth, stride)
    return {
        "relative": relative_error(kernels, truth),
        "relative_unit_sum": relative_error(unit_sum(kernels), unit_sum(truth)),
        "relative_aligned": relative_error(*align(unit_sum(kernels), unit_sum(truth))),
        "centroid": (centroid(kernels) - centroid(truth)).norm(dim=1),
        "second_moment": (covariance(kernels) - covariance(truth)).flatten(1).norm(dim=1),
        "gain": (gain(kernels) - gain(truth)).abs(),
    }


def align(kernels: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Align the centres of two stacks, moving each kernel by half the distance.

    They are moved by the phases of their Fourier transforms in a padded window, without blur; by
    half each, so that a kernel with sharp edges rings no more than its counterpart.

    Args:
        kernels: Shape (P, k, k).
        truth: Shape (P, k, k).

    Returns:
        Both with a larger support, shape (P, m, m).
    """
    size = kernels.shape[-1]
    pad = size // 2 + 1
    apart = (centroid(truth) - centroid(kernels)) / 2
    # A centre far outside means a kernel without mass.
    apart = apart.clamp(-pad, pad)
    moved = []
    for stack, way in ((kernels, apart), (truth, -apart)):
        wide = F.pad(stack, (pad, pad, pad, pad))
        axis = torch.fft.fftfreq(wide.shape[-1], dtype=wide.dtype, device=wide.device)
        angle = way[:, 0, None, None] * axis[:, None] + way[:, 1, None, None] * axis
        turn = torch.polar(torch.ones_like(angle), -2 * math.pi * angle)
        shifted = torch.fft.ifft2(torch.fft.fft2(wide) * turn).real
        still = (way == 0).all(1)[:, None, None]
        moved.append(torch.where(still, wide, shifted))
    return moved[0], moved[1]


def residual_energy(kernels: Tensor, ranks: Sequence[int]) -> dict[int, float]:
    """Return how badly a few fixed bases can represent a stack of kernels at best.

    Args:
        kernels: Shape (P, k, k).
        ranks: Numbers of bases.

    Returns:
        For each rank, the share of the energy outside the best subspace of that rank (from the
        singular values): the square of the smallest possible relative error.
    """
    energy = torch.linalg.svdvals(kernels.detach().flatten(1).double()) ** 2
    return {rank: float(energy[rank:].sum() / energy.sum()) for rank in ranks}


def compare_with_truth(
    degradation: nn.Module,
    camera: nn.Module,
    images: Mapping[str, Tensor] | Sequence[Tensor],
    points_per_image: int = 256,
    seed: int = 0,
    places: Mapping[str, Place] | None = None,
) -> dict[str, float]:
    """Compare a degradation's kernels with a camera's true ones at random pixels of some images.

    A pixel counts as textured if the standard deviation of Y in the true kernel's window exceeds
    five grey levels. In flat windows every kernel of the right sum gives the same image, so pairs
    cannot identify the true one. The border, where padding matters, is excluded.

    Args:
        degradation: Has ``kernels_at`` (DML, GlobalKernel, DirectKPN).
        camera: Has the true ``kernels_at`` (SampleCamera).
        images: HR images, RGB or Y in [0, 1], each (C, H, W) or (1, C, H, W); by key or in order.
        points_per_image: Random LR pixels per image.
        seed: Seed of the points.
        places: Where images lie in their photos, by key, for what uses the place.

    Returns:
        ``<error>_mean`` and ``<error>_median`` of every error of :func:`kernel_errors` over all
        points, ``textured_<error>_mean`` and ``_median`` over the textured ones, ``points``,
        ``textured_share``, and ``response_rmse``: what the kernels' errors do to Y, in grey levels
        of 255, root mean square. ``constant_relative_mean`` and ``constant_response_rmse`` are the
        same of the mean of the true kernels, a yardstick without any spatial variation.

    Raises:
        GeometryError: If degradation and camera have different geometries.
        ConfigError: If one of them is not a field of kernels.
        DataError: If there are no images, or no points.
    """
    _check_geometry(degradation, camera)
    named = dict(images) if isinstance(images, Mapping) else dict(enumerate(images))
    if not named or points_per_image < 1:
        raise DataError("kernels are compared at one point of one image at least.")
    pairs: list[tuple[Tensor, Tensor]] = []
    windows: list[Tensor] = []
    for key, image in named.items():
        hr = image if image.ndim == 4 else image[None]
        points = _random_points(degradation, camera, hr, points_per_image, Stream(seed, key))
        place = (places or {}).get(str(key))
        learned, truth = _both_kernels(degradation, camera, hr, points, place)
        pairs.append(match_support(learned, truth, int(camera.stride)))  # type: ignore[arg-type]
        windows.append(_windows(hr, points, camera, pairs[-1][0].shape[1]))
    kernels, truth = (torch.cat(side) for side in zip(*pairs, strict=True))
    seen = torch.cat(windows)
    chosen = seen.flatten(1).std(dim=1) > TEXTURED
    result: dict[str, float] = {}
    for name, values in kernel_errors(kernels, truth).items():
        result |= _summary(name, values)
        result |= _summary(f"textured_{name}", values[chosen])
    constant = truth.mean(0, keepdim=True).expand_as(truth)
    result["constant_relative_mean"] = float(relative_error(constant, truth).mean())
    result["response_rmse"] = _response_rmse(kernels - truth, seen)
    result["constant_response_rmse"] = _response_rmse(constant - truth, seen)
    result["points"] = float(len(chosen))
    result["textured_share"] = float(chosen.double().mean())
    return result


def kernel_error_map(
    degradation: nn.Module, camera: nn.Module, hr: Tensor, step: int = 1, error: str = "relative"
) -> Tensor:
    """Map the kernel error over one image.

    Args:
        degradation: Has ``kernels_at``.
        camera: Has the true ``kernels_at``.
        hr: One HR image, (C, H, W) or (1, C, H, W).
        step: Distance between measured points in LR pixels.
        error: One of the names that :func:`kernel_errors` returns.

    Returns:
        The errors, float32, shape (ceil(h / step), ceil(w / step)) for an LR image of h x w.

    Raises:
        GeometryError: If degradation and camera have different geometries.
        ConfigError: If one of them is not a field of kernels, or the error is unknown.
    """
    _check_geometry(degradation, camera)
    hr = hr if hr.ndim == 4 else hr[None]
    stride = int(camera.stride)  # type: ignore[arg-type]
    rows = range(0, hr.shape[2] // stride, step)
    columns = range(0, hr.shape[3] // stride, step)
    points = [(row, column) for row in rows for column in columns]
    learned, truth = _both_kernels(degradation, camera, hr, points)
    errors: list[Tensor] = []
    # In chunks, because the errors are computed in float64.
    for some, true in zip(torch.split(learned, 4096), torch.split(truth, 4096), strict=True):
        measured = kernel_errors(some, true, stride)
        if error not in measured:
            raise ConfigError(f"no kernel error named '{error}': there are {', '.join(measured)}.")
        errors.append(measured[error].float())
    return torch.cat(errors).view(len(rows), len(columns))


def _mass_and_taps(kernels: Tensor) -> tuple[Tensor, Tensor]:
    size = kernels.shape[-1]
    taps = torch.arange(size, dtype=kernels.dtype, device=kernels.device) - (size - 1) / 2
    return unit_sum(kernels), taps


def _summary(name: str, values: Tensor) -> dict[str, float]:
    if not len(values):
        return {f"{name}_mean": math.nan, f"{name}_median": math.nan}
    return {f"{name}_mean": float(values.mean()), f"{name}_median": float(values.median())}


def _response_rmse(difference: Tensor, windows: Tensor) -> float:
    response = (difference * windows).sum((1, 2))
    return 255 * float(response.square().mean().sqrt())


def _check_geometry(degradation: nn.Module, camera: nn.Module) -> None:
    ours, theirs = ((d.scale, bool(d.same_size)) for d in (degradation, camera))
    if ours != theirs:
        raise GeometryError(
            f"{type(degradation).__name__} has scale {ours[0]}, same_size={ours[1]}, the true"
            f" camera has scale {theirs[0]}, same_size={theirs[1]}: make both alike to compare"
            " their kernels."
        )


def _both_kernels(
    degradation: nn.Module,
    camera: nn.Module,
    hr: Tensor,
    points: list[tuple[int, int]],
    place: Place | None = None,
) -> tuple[Tensor, Tensor]:
    stacks = []
    for source in (degradation, camera):
        first = next(source.parameters(), hr)
        try:
            with torch.no_grad():
                at = {"place": place} if getattr(source, "uses_place", False) else {}
                kernels = source.kernels_at(hr.to(first.device), points, **at)  # type: ignore[operator]
        except NotImplementedError as error:
            raise ConfigError(
                f"{type(source).__name__} has no kernels that could be compared with true ones."
            ) from error
        stacks.append(kernels.cpu())
    return stacks[0], stacks[1]


def _random_points(
    degradation: nn.Module, camera: nn.Module, hr: Tensor, count: int, stream: Stream
) -> list[tuple[int, int]]:
    stride = int(camera.stride)  # type: ignore[arg-type]
    size = [side // stride for side in hr.shape[2:]]
    border = max(int(camera.border), int(degradation.border))  # type: ignore[arg-type]
    border = max(0, min(border, (min(size) - 1) // 2))
    rng = stream.rng("points")
    rows, columns = (rng.integers(border, side - border, count) for side in size)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _windows(
    hr: Tensor, points: list[tuple[int, int]], camera: nn.Module, kernel_size: int
) -> Tensor:
    """Cut the kernels' windows out of Y at LR pixels: shape (P, k, k), float64."""
    stride = int(camera.stride)  # type: ignore[arg-type]
    start = math.floor((stride - kernel_size) / 2)
    # Replicated pixels, for images too small to exclude the border.
    luma = to_colour(hr, "y").cpu().double()
    luma = F.pad(luma, [kernel_size] * 4, mode="replicate")[0, 0]
    corners = [
        (row * stride + start + kernel_size, column * stride + start + kernel_size)
        for row, column in points
    ]
    return torch.stack(
        [luma[top : top + kernel_size, left : left + kernel_size] for top, left in corners]
    )
