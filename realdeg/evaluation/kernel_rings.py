"""Kernel errors by distance from the optical axis, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from realdeg.errors import DataError, GeometryError
from realdeg.evaluation.kernel_error import TEXTURED, match_support, relative_error
from realdeg.utils.colour import to_colour
from realdeg.utils.place import Place
from realdeg.utils.streams import Stream


class ChannelKernels(Protocol):
    """A degradation that knows its kernels of R, G and B."""

    scale: int
    same_size: bool

    @property
    def stride(self) -> int:
        """HR pixels per LR pixel on the grid."""

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences."""

    def channel_kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return kernels, shape (P, 3, k, k)."""

    def describe(self) -> str:
        """Return a one-line description."""


@torch.no_grad()
def error_by_radius(
    degradation: ChannelKernels,
    camera: ChannelKernels,
    photos: Mapping[str, Tensor],
    rings: int = 3,
    points_per_photo: int = 256,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Compare kernels of R, G and B with a camera's true ones, ring by ring.

    Random pixels of whole photos are taken where there is texture: elsewhere pairs do not tell
    kernels apart. The radius is 1 in the corners of a photo.

    Args:
        degradation: Has ``channel_kernels_at`` (DML).
        camera: Has the true ones (SampleCamera).
        photos: Whole photos, RGB in [0, 1], each (3, H, W), by name.
        rings: Rings of equal width.
        points_per_photo: Random LR pixels per photo.
        seed: Seed of the points.

    Returns:
        For each ring ``relative``: the mean of :func:`relative_error` over pixels and channels;
        ``lateral``: the mean error of the distance between the centres of red and blue, in HR
        pixels; ``constant``: ``relative`` of the mean of the true kernels over all photos;
        ``points``.

    Raises:
        GeometryError: If degradation and camera have different geometries.
        DataError: If there are no photos.
    """
    if (degradation.scale, degradation.same_size) != (camera.scale, camera.same_size):
        raise GeometryError(
            f"{degradation.describe()} cannot be compared with {camera.describe()}: make both of"
            " one scale and grid."
        )
    if not photos:
        raise DataError("kernels are compared on one photo at least.")
    found, true, radii = [], [], []
    border = max(camera.border, degradation.border)
    for name, photo in photos.items():
        hr, place = photo[None], Place.whole(photo.shape[1], photo.shape[2])
        size = [side // camera.stride for side in hr.shape[2:]]
        rng = Stream(seed, name).rng("points")
        rows, columns = (rng.integers(border, side - border, points_per_photo) for side in size)
        drawn = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True)]
        points = [point for point in drawn if _is_textured(hr, point, camera)]
        if not points:
            continue
        stacks = [source.channel_kernels_at(hr, points, place) for source in (degradation, camera)]
        flat = [stack.flatten(0, 1).double().cpu() for stack in stacks]
        pair = match_support(flat[0], flat[1], camera.stride)
        found.append(pair[0].unflatten(0, (-1, 3)))
        true.append(pair[1].unflatten(0, (-1, 3)))
        where = torch.tensor(points, dtype=torch.float64) + 0.5
        middle = torch.tensor(size, dtype=torch.float64) / 2
        radii.append((where - middle).norm(dim=1) / middle.norm())
    if not radii:
        raise DataError("no photo has texture, without which kernels cannot be compared.")
    learned, truth, radius = torch.cat(found), torch.cat(true), torch.cat(radii)
    errors = _relative(learned, truth)
    constant = _relative(truth.mean(0, keepdim=True).expand_as(truth), truth)
    lateral = (_red_to_blue(learned) - _red_to_blue(truth)).norm(dim=1)
    ring = (radius * rings).long().clamp_max(rings - 1)
    return {
        name: [float(values[ring == number].mean()) for number in range(rings)]
        for name, values in (("relative", errors), ("lateral", lateral), ("constant", constant))
    } | {"points": [float((ring == number).sum()) for number in range(rings)]}


def _relative(kernels: Tensor, truth: Tensor) -> Tensor:
    return relative_error(kernels.flatten(0, 1), truth.flatten(0, 1)).view(-1, 3).mean(1)


def _red_to_blue(kernels: Tensor) -> Tensor:
    taps = torch.arange(kernels.shape[-1], dtype=kernels.dtype)
    mass = kernels / kernels.sum((-2, -1), keepdim=True)
    centres = torch.stack([(mass.sum(3) * taps).sum(2), (mass.sum(2) * taps).sum(2)], -1)
    return centres[:, 0] - centres[:, 2]


def _is_textured(hr: Tensor, point: tuple[int, int], camera: ChannelKernels) -> bool:
    row, column = (camera.stride * at for at in point)
    reach = 8
    top, left = max(row - reach, 0), max(column - reach, 0)
    window = to_colour(hr[..., top : row + reach, left : column + reach], "y")
    return float(window.std()) > TEXTURED
