"""The colours of one photo in terms of the other: 3 x 3 matrix and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from realdeg.registration.warp import blur

Colour: TypeAlias = Literal["match", "statistics", "keep"]
"""How LR's colours become those of HR: see :func:`colour_transfer`."""

# Both are compared behind this blur (LR pixels), where their own blur and noise no longer differ.
_COMMON = 4.0
# Pixels this near to black or white may be clipped.
_DARKEST, _BRIGHTEST = 4.0, 251.0
_LEAST_PIXELS = 256
# A share of the variance that keeps colours which hardly vary from being amplified.
_RIDGE = 1e-4


@dataclass(frozen=True)
class ColourTransfer:
    """What LR's colours are multiplied by and what is added, in 8-bit levels.

    Args:
        matrix: Shape (3, 3).
        offset: Shape (3,).
        gain: LR over HR per channel: the ratio of their means.
    """

    matrix: np.ndarray
    offset: np.ndarray
    gain: tuple[float, float, float]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Change the colours of an image of shape (H, W, 3) in 8-bit levels."""
        changed: np.ndarray = image @ self.matrix.T.astype(np.float32)
        return changed + self.offset.astype(np.float32)


def colour_transfer(lr: np.ndarray, hr: np.ndarray, kind: Colour) -> ColourTransfer:
    """Find what makes LR's colours those of HR.

    ``"statistics"`` is RealSR's: the matrix maps the mean and covariance of LR to those of HR, and
    so makes up for LR's blur by contrast. ``"match"`` is the least-squares solution over aligned
    pixels behind a common blur, which needs alignment and has no such bias.

    Args:
        lr: Shape (H, W, 3), 8-bit levels.
        hr: HR on the same grid.
        kind: ``"match"`` or ``"statistics"``; ``"keep"`` measures the gain only.

    Source:
        Cai et al., ICCV 2019; ``Alignment`` of csjcai/RealSR: ``A = U_x D_x^(1/2) U_x' U_y
        D_y^(-1/2) U_y'``, ``b = mean_x - A mean_y`` with x of HR and y of LR.
    """
    soft = [blur(image, _COMMON) for image in (lr, hr)]
    least = np.minimum(lr, hr).min(2) > _DARKEST
    usable = least & (np.maximum(lr, hr).max(2) < _BRIGHTEST)
    if usable.sum() < _LEAST_PIXELS:
        usable = np.ones(lr.shape[:2], bool)
    ours, theirs = (one[usable].astype(np.float64) for one in soft)
    gain = tuple((ours.mean(0) / np.maximum(theirs.mean(0), 1e-6)).tolist())
    if kind == "statistics":
        ours, theirs = (one[usable].astype(np.float64) for one in (lr, hr))
        matrix = _root(np.cov(theirs.T), 0.5) @ _root(np.cov(ours.T), -0.5)
    elif kind == "match":
        covariance = np.cov(np.hstack([ours, theirs]).T)
        own, cross = covariance[:3, :3], covariance[3:, :3]
        ridge = _RIDGE * max(float(np.trace(own)), 1e-6) * np.eye(3)
        # Pulled towards the channels' own gains, which a grey picture does not tell apart.
        prior = np.diag(1 / np.array(gain))
        matrix = (cross + prior @ ridge) @ np.linalg.inv(own + ridge)
    else:
        return ColourTransfer(np.eye(3), np.zeros(3), (gain[0], gain[1], gain[2]))
    offset = theirs.mean(0) - matrix @ ours.mean(0)
    return ColourTransfer(matrix, offset, (gain[0], gain[1], gain[2]))


def _root(covariance: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-6 * max(float(values.max()), 1e-6))
    root: np.ndarray = (vectors * values**power) @ vectors.T
    return root
