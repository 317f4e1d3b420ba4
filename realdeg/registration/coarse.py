"""Where one photo lies in the other, to a few pixels: features, or a search by correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

# Longest sides of the photos in which features are sought: the wide one shows the scene smaller.
WIDE_SIDE, TELE_SIDE = 2400, 1200
_FEATURES = 6000
# Lowe's ratio: a feature whose second-best partner is nearly as close tells nothing.
_DISTINCT = 0.8
_NEAR = 3.0
_LEAST_MATCHES = 12
# The search uses photos this small, and scales this far apart.
_SMALL, _STEP = 384, 1.03
_LARGEST_RATIO = 6.0
# Correlation of band-passed luma above which a place counts as found.
_LEAST_CORRELATION = 0.45
# Least side of what is sought, and the most that a second place may correlate, relative to it.
_LEAST_PART, _UNIQUE = 24, 0.8


@dataclass(frozen=True)
class CoarseMatch:
    """A first transform.

    Args:
        matrix: Positions (row, column, 1) of the wide photo to those of the tele photo, (3, 3).
        method: ``"features"`` or ``"correlation"``.
        evidence: The number of features that agree, or the correlation.
    """

    matrix: np.ndarray
    method: str
    evidence: float

    @property
    def ratio(self) -> float:
        """Pixels of the tele photo per pixel of the wide photo."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:2, :2]))))


@dataclass(frozen=True)
class Features:
    """The features of a photo.

    Args:
        places: Row and column of each in the whole photo, shape (N, 2).
        descriptors: uint8, shape (N, 128); None if there are none.
    """

    places: np.ndarray
    descriptors: np.ndarray | None


def find_features(luma: np.ndarray, longest: int) -> Features:
    """Find SIFT features.

    Args:
        luma: 8-bit levels, shape (H, W).
        longest: The photo is reduced until no side is longer.
    """
    factor = max(1.0, max(luma.shape) / longest)
    small = _reduced(luma, factor)
    detector: Any = getattr(cv2, "SIFT_create")(_FEATURES)  # noqa: B009 - not in OpenCV's stubs
    found, descriptors = detector.detectAndCompute(
        np.clip(small + 0.5, 0, 255).astype(np.uint8), None
    )
    if not found:
        return Features(np.zeros((0, 2)), None)
    places = np.array([(one.pt[1], one.pt[0]) for one in found], np.float64)
    enlarge = [n / m for n, m in zip(luma.shape, small.shape, strict=True)]
    return Features((places + 0.5) * enlarge - 0.5, np.asarray(descriptors).astype(np.uint8))


def match_features(wide: Features, tele: Features) -> CoarseMatch | None:
    """Fit a similarity to the features that two photos share, or return None."""
    if wide.descriptors is None or tele.descriptors is None:
        return None
    if min(len(wide.places), len(tele.places)) < _LEAST_MATCHES:
        return None
    ours, theirs = (one.astype(np.float32) for one in (wide.descriptors, tele.descriptors))
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(theirs, ours, k=2)
    good = [
        (pair[0].trainIdx, pair[0].queryIdx)
        for pair in pairs
        if len(pair) == 2 and pair[0].distance < _DISTINCT * pair[1].distance
    ]
    if len(good) < _LEAST_MATCHES:
        return None
    first, second = (np.array(index) for index in zip(*good, strict=True))
    source, target = wide.places[first], tele.places[second]
    # A pixel of the smaller picture covers several of the tele photo.
    near = _NEAR * max(1.0, float(np.ptp(target)) / TELE_SIDE)
    for method in (cv2.estimateAffinePartial2D, cv2.estimateAffine2D):
        found = _robust(method, source, target, near)
        if found is None:
            return None
        matrix, agree = found
    ratio = math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
    # Chance agreements collapse the picture or mirror it.
    sides = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if sides[0] > 1.1 * sides[1] or np.linalg.det(matrix) <= 0 or not 0.1 < ratio < 20:
        return None
    if agree < max(_LEAST_MATCHES, 0.1 * len(good)):
        return None
    return CoarseMatch(matrix, "features", float(agree))


def _robust(
    method: Any, source: np.ndarray, target: np.ndarray, near: float
) -> tuple[np.ndarray, int] | None:
    found, inside = method(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=near,
        maxIters=5000,
        confidence=0.9999,
        refineIters=20,
    )
    if found is None or not np.isfinite(found).all():
        return None
    return np.vstack([found, [0.0, 0.0, 1.0]]), int(inside.sum())


def seek(wide: np.ndarray, tele: np.ndarray, ratio: float | None = None) -> CoarseMatch | None:
    """Seek the tele photo in the wide one by correlation of band-passed luma.

    Args:
        wide: Luma, shape (H, W).
        tele: Luma, shape (h, w).
        ratio: Pixels of the tele photo per pixel of the wide photo, if the focal lengths tell; 10 %
            to both sides are searched. None: 1 to 6.

    Returns:
        The best place, without rotation; None if it correlates by less than 0.45.
    """
    factor = max(1.0, max(wide.shape) / _SMALL)
    small = _band(_reduced(wide, factor))
    bounds = (1 / 1.05, _LARGEST_RATIO) if ratio is None else (0.9 * ratio, 1.1 * ratio)
    steps = max(1, math.ceil(math.log(bounds[1] / bounds[0]) / math.log(_STEP)))
    best: CoarseMatch | None = None
    for step in range(steps + 1):
        tried = bounds[0] * (bounds[1] / bounds[0]) ** (step / steps)
        part = _band(_reduced(tele, factor * tried))
        # The middle of it, so that a shift of equally large photos leaves it inside.
        margin = [
            max(n // 8, math.ceil((n - 0.9 * m) / 2))
            for n, m in zip(part.shape, small.shape, strict=True)
        ]
        part = part[margin[0] : part.shape[0] - margin[0], margin[1] : part.shape[1] - margin[1]]
        if min(part.shape) < _LEAST_PART:
            continue
        scores = cv2.matchTemplate(small, np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED)
        _, peak, _, (column, row) = cv2.minMaxLoc(scores)
        if not peak >= _LEAST_CORRELATION or (best is not None and peak <= best.evidence):
            continue
        # A small part may resemble something anywhere, and then it does so at several places.
        others = scores.copy()
        others[max(0, row - 6) : row + 7, max(0, column - 6) : column + 7] = -1
        if float(others.max()) > _UNIQUE * peak:
            continue
        # Pixel i of a picture reduced by f is centred at f (i + 0.5) - 0.5.
        start = np.array([row - margin[0], column - margin[1]]) * factor
        matrix = np.diag([tried, tried, 1.0])
        matrix[:2, 2] = 0.5 * tried - 0.5 - tried * start
        best = CoarseMatch(matrix, "correlation", float(peak))
    return best


def _reduced(luma: np.ndarray, factor: float) -> np.ndarray:
    size = [max(1, round(n / factor)) for n in luma.shape]
    how = cv2.INTER_AREA if factor > 1 else cv2.INTER_LINEAR
    small: np.ndarray = cv2.resize(np.asarray(luma, np.float32), size[::-1], interpolation=how)
    return small


def _band(image: np.ndarray) -> np.ndarray:
    """Remove brightness and noise by a difference of Gaussians."""
    fine = cv2.GaussianBlur(image, (0, 0), 1.0)
    band: np.ndarray = fine - cv2.GaussianBlur(image, (0, 0), 4.0)
    return band
