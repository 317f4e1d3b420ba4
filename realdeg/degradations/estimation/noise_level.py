"""The noise level of one photo, from the eigenvalues of its patches' covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.errors import DataError, GeometryError

SMALLEST = 32
_SIDES = (8, 5)
# Enough for a covariance of 192 numbers; larger photos are sampled more coarsely.
_MOST_PATCHES = 40_000
_PER_NUMBER, _LEAST_PER_NUMBER = 20, 4
# Noise that was cut off at black or white is smaller than elsewhere.
_CLIPPED_SHARE = 0.05
_ROUNDS, _DEVIATIONS = 2, 3.0


def noise_level(image: Tensor) -> float:
    """Estimate the standard deviation of white noise in an image.

    Patches of a photo lie near a subspace of few dimensions, while noise spreads over all of them.
    So of the eigenvalues of the patches' covariance the largest are left out, one by one, until
    the mean of the rest is not above their median; that mean is the variance of the noise.
    Texture that fills all dimensions is counted as noise (docs/estimating.md has the error on
    photos), and noise that is correlated between pixels, as after demosaicing or JPEG, is counted
    in part. Patches in which a twentieth of the values is 0 or 1, or whose mean is within three
    deviations of these, are left out, because noise is clipped there.

    Args:
        image: (1, 1 or 3, h, w) in [0, 1], 32 x 32 pixels or more.

    Returns:
        The standard deviation, white being 1; 0 for an image without any variation.

    Raises:
        GeometryError: If the image is smaller.
        DataError: If too few patches are left, because the image is black, white or clipped.

    Source:
        Chen, Zhu, Heng, An Efficient Statistical Method for Image Noise Level Estimation, ICCV
        2015, with patches of 8 x 8, in small images of 5 x 5.
    """
    if image.ndim != 4 or image.shape[0] != 1 or min(image.shape[2:]) < SMALLEST:
        raise GeometryError(
            f"noise is estimated from one image of {SMALLEST} x {SMALLEST} pixels or more, got"
            f" {tuple(image.shape)}."
        )
    values = image.detach().cpu().double()
    # The mean of eigenvalues is near their median only with many patches for each dimension; small
    # images have them with smaller patches, and with one channel.
    choices = [(values, side) for side in _SIDES]
    if values.shape[1] == 3:
        choices.append((values[:, 1:2], _SIDES[-1]))
    for number, (seen, side) in enumerate(choices):
        patches = _usable(_patches(seen, side))
        wanted = _PER_NUMBER if number < len(choices) - 1 else _LEAST_PER_NUMBER
        if len(patches) >= wanted * patches.shape[1]:
            return _unclipped_deviation(patches)
    raise DataError(
        "the noise of the image cannot be estimated: most of it is black or white, where noise is"
        " clipped. State the noise."
    )


def _patches(values: Tensor, side: int) -> Tensor:
    """Return patches of (1, C, h, w), (N, C * side^2), on a coarser grid for large photos."""
    stride = 1
    while (values.shape[2] // stride) * (values.shape[3] // stride) > _MOST_PATCHES:
        stride += 1
    cut = values[0].unfold(1, side, stride).unfold(2, side, stride)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, int(values.shape[1]) * side**2)


def _usable(patches: Tensor) -> Tensor:
    clipped = ((patches <= 0) | (patches >= 1)).double().mean(1)
    return patches[clipped <= _CLIPPED_SHARE]


def _unclipped_deviation(patches: Tensor) -> float:
    """Estimate from the patches whose mean is so far from black and white that none is clipped."""
    found, means = _deviation(patches), patches.mean(1)
    for _ in range(_ROUNDS):
        margin = _DEVIATIONS * found
        inner = patches[(means > margin) & (means < 1 - margin)]
        if len(inner) < _LEAST_PER_NUMBER * patches.shape[1]:
            break
        found = _deviation(inner)
    return found


def _deviation(patches: Tensor) -> float:
    centred = patches - patches.mean(0)
    eigenvalues = torch.linalg.eigvalsh(centred.T @ centred / len(patches)).clamp(min=0)
    for count in range(len(eigenvalues), 0, -1):
        rest = eigenvalues[:count]
        if float(rest.mean()) <= float(rest[count // 2]):
            break
    return float(rest.mean().sqrt())
