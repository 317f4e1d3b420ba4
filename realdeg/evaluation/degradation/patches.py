"""Distance between two sets of LR images by the statistics of their patches.

Like the Frechet inception distance, but with transparent features instead of a network's: energies
of DCT bands. They capture what characterises a camera: noise and its spectrum, sharpness, ringing,
compression blocks, brightness, colour.
"""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation.degradation.noise import block_cosines

# Variance of rounding to 8 bit: a band without any signal has this energy.
_ROUNDING = 1 / 12
# Edges of the bands as fractions of the sampling limit along one axis: octaves up to half of it,
# then finer; the last band reaches into the corner.
_EDGES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.5)
# Levels by which means of Y and of Cb, Cr are divided, for weights like those of the logarithms.
_MEAN_UNITS = (50.0, 10.0, 10.0)


def _bands(size: int) -> tuple[Tensor, Tensor]:
    """Return the masks of luma's bands (15, size, size) and of chroma's (5, size, size)."""
    place = torch.arange(size, dtype=torch.float64)
    rows, columns = (axis.expand(size, size) for axis in (place[:, None], place[None, :]))
    radius = torch.hypot(rows, columns) / size
    angle = torch.atan2(rows, columns)  # 0: changes along columns only
    third = torch.pi / 6
    sectors = (angle < third, (angle >= third) & (angle <= 2 * third), angle > 2 * third)
    bands = [
        (radius > low) & (radius <= high) for low, high in zip(_EDGES[:-1], _EDGES[1:], strict=True)
    ]
    luma = torch.stack([band & sector for band in bands for sector in sectors])
    chroma = torch.stack(bands)
    return luma[luma.flatten(1).any(1)], chroma[chroma.flatten(1).any(1)]


def patch_features(image: Tensor, size: int = 16, step: int = 8) -> Tensor:
    """Compute features of the patches of an image.

    Each patch's DCT coefficients are grouped in five frequency bands, those of Y also in three
    directions. A feature is half the logarithm of a band's mean square (plus 1/12, the variance of
    rounding), that is, the logarithm of an amplitude. The means of the channels follow, in units of
    50 (Y) and 10 (Cb, Cr) levels.

    Args:
        image: Y, or Y, Cb and Cr, levels of 8 bit, float64, shape (C, h, w).
        size: Side of a patch, at least 8.
        step: Distance between patches.

    Returns:
        Shape (n, 16) for Y, (n, 28) for three channels, with 16 px patches.

    Raises:
        DataError: If the image is smaller than a patch.
    """
    if min(image.shape[1:]) < size:
        raise DataError(
            f"patches of {size} px are compared, and {image.shape[1]} x {image.shape[2]} LR px are"
            " left after the border is cropped."
        )
    luma, chroma = (masks.double() for masks in _bands(size))
    features = []
    for channel, (plane, unit) in enumerate(zip(image, _MEAN_UNITS, strict=False)):
        values = block_cosines(plane, size, step)
        masks = chroma if channel else luma
        energy = values.square().flatten(1) @ masks.flatten(1).T / masks.sum((1, 2))
        features.append(0.5 * torch.log(energy + _ROUNDING))
        features.append(values[:, 0, :1] / size / unit)
    return torch.cat(features, 1)


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the Frechet distance of two sets of features, modelled as normal distributions.

    Args:
        first: Shape (n, d), n > 1.
        second: Shape (m, d), m > 1.

    Returns:
        ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``: 0 for equal mean and covariance.

    Raises:
        DataError: If a set has fewer than two members or the features differ in number.

    Source:
        Dowson, Landau, J. Multivariate Analysis 1982; Heusel et al., NeurIPS 2017 (FID).
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DataError(
            f"sets of features have shape (n, d), got {tuple(first.shape)} and"
            f" {tuple(second.shape)}."
        )
    if min(len(first), len(second)) < 2:
        raise DataError("a distance between sets needs two patches at least on each side.")
    means = first.mean(0) - second.mean(0)
    covariances = [torch.cov(side.T).reshape(side.shape[1], -1) for side in (first, second)]
    # (C1 C2)^(1/2) has the trace of (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric.
    root = _root(covariances[0])
    inner = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp_min(0)
    traces = sum(float(covariance.trace()) for covariance in covariances)
    return max(float(means.square().sum()) + traces - 2 * float(inner.sqrt().sum()), 0.0)


def _root(matrix: Tensor) -> Tensor:
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
