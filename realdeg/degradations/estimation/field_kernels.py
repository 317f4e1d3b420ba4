"""A field of kernels as a few of them: its representatives, or the means of regions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from realdeg.degradations.estimation.base import KernelField
from realdeg.degradations.estimation.pairs import PairCriteria, PatchKernel, judged
from realdeg.degradations.primitives.kernels import pad_kernel
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import to_colour

_CLOSE = 0.01
_LEAST_PATCH = 8


@dataclass(frozen=True)
class Representatives:
    """Kernels that stand for all kernels of a field.

    Args:
        kernels: (R, k, k), R at least 1.
        nearest: For each LR pixel which of them is nearest to its kernel, (h, w).
        distance: The largest distance of a kernel to its representative, as a share of the mean
            kernel's norm.
    """

    kernels: Tensor
    nearest: Tensor
    distance: float


def representatives(field: KernelField, most: int = 16) -> Representatives:
    """Find a few kernels such that each pixel's is near to one of them.

    The first is the mean kernel of the image. Then the pixel whose kernel is farthest from all
    representatives gives the next one, until none is farther than 1 % of the mean kernel's norm.
    So a field of a few different kernels is represented exactly. Distances are Euclidean, and are
    computed from the shares and the products of the basis kernels.

    Args:
        field: The kernels of an image.
        most: The largest number, besides the mean kernel.
    """
    mean, basis = field.mean().double(), field.basis.double().flatten(1)
    values, vectors = torch.linalg.eigh(basis @ basis.T)
    root = (vectors * values.clamp(min=0).sqrt()).T
    height, width = field.weights.shape[1:]
    # Distances between these columns are those between the kernels.
    places = root @ field.weights.double().flatten(1)
    norm = float(mean.norm())
    middle = places.mean(1, keepdim=True)
    distance = (places - middle).norm(dim=0)
    nearest = torch.zeros(height * width, dtype=torch.long)
    kernels: list[Tensor] = [mean]
    while len(kernels) <= most and float(distance.max()) > _CLOSE * norm:
        farthest = int(distance.argmax())
        kernels.append(field.at([divmod(farthest, width)])[0].double())
        to_new = (places - places[:, farthest : farthest + 1]).norm(dim=0)
        nearer = to_new < distance
        nearest[nearer] = len(kernels) - 1
        distance = torch.where(nearer, to_new, distance)
    # The mean may be the kernel of no pixel, as where two halves differ.
    used, nearest = nearest.unique(return_inverse=True)
    stack = torch.stack([kernels[int(number)] for number in used])
    return Representatives(stack, nearest.view(height, width), float(distance.max()) / norm)


def region_kernels(
    image: Tensor,
    field: KernelField,
    scale: int,
    same_size: bool = False,
    patch: int = 64,
    criteria: PairCriteria | None = None,
) -> list[PatchKernel]:
    """Return the mean kernel of each square region of an image.

    Args:
        image: The LR image, RGB or Y, (1, C, h, w) in [0, 1].
        field: Its kernels.
        scale: The scale factor.
        same_size: Whether LR lies on the HR grid.
        patch: Side of the regions in LR pixels; they do not overlap.
        criteria: Criteria for accepting a kernel, but for the residual, which needs HR; None takes
            the defaults. Regions without contrast are rejected, as they reveal no blur.

    Returns:
        One entry per region, row by row. Kernels are two pixels wider than the field's, so that
        they can be centred.

    Raises:
        ConfigError: If a region is smaller than 8 pixels.
        DataError: If the image is smaller than a region.
    """
    if patch < _LEAST_PATCH:
        raise ConfigError(f"a region has at least {_LEAST_PATCH} LR pixels, got {patch}.")
    height, width = (int(side) for side in image.shape[2:])
    if min(height, width) < patch:
        raise DataError(
            f"an LR image of {height} x {width} is smaller than a region of {patch} pixels: use"
            " smaller ones."
        )
    luma = to_colour(image.detach(), "y").double()[0, 0].cpu()
    stride = 1 if same_size else scale
    found = []
    for row in range(0, height - patch + 1, patch):
        for column in range(0, width - patch + 1, patch):
            part = (slice(row, row + patch), slice(column, column + patch))
            record = {
                "row": row,
                "column": column,
                "deviation": round(255 * math.sqrt(float(luma[part].var(correction=0))), 3),
            }
            mean = KernelField(field.basis.double(), field.weights[:, part[0], part[1]]).mean()
            kernel = pad_kernel(mean, int(mean.shape[-1]) + 2)
            found.append(judged(kernel, record, criteria or PairCriteria(), scale, stride))
    return found
