"""The displacement of two photos region by region, measured by phase."""

from __future__ import annotations

import math

import numpy as np
import torch

from realdeg.errors import DataError
from realdeg.evaluation.degradation.spectra import displacement

# Sides of a region, and the most regions side by side.
_LEAST, _MOST, _SIDE_BY_SIDE = 32, 96, 7
# 8-bit levels: a region with less standard deviation contains only noise.
_LEAST_DEVIATION = 2.0
# Further than this many pixels a region is not what was sought.
_FURTHEST = 3.0


def measure_regions(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Measure how far an image lies from a reference, in regions of 32 to 96 pixels.

    Args:
        image: Luma in 8-bit levels, shape (H, W).
        reference: The same, in the same place.

    Returns:
        The centres of the regions, row and column, shape (N, 2); their displacements, down and
        right, shape (N, 2); and the number of regions with texture.
    """
    height, width = reference.shape
    side = max(_LEAST, min(_MOST, min(height, width) // 3 // 4 * 4))
    centres: list[tuple[float, float]] = []
    shifts: list[tuple[float, float]] = []
    textured = 0
    for top in _starts(height, side):
        for left in _starts(width, side):
            window = np.s_[top : top + side, left : left + side]
            ours, theirs = image[window], reference[window]
            if min(ours.std(), theirs.std()) < _LEAST_DEVIATION:
                continue
            textured += 1
            try:
                found = displacement(_tensor(ours), _tensor(theirs), side // 2 // 2 * 2)
            except DataError:
                continue
            if found is None or math.hypot(*found) > _FURTHEST:
                continue
            centres.append((top + (side - 1) / 2, left + (side - 1) / 2))
            shifts.append(found)
    return np.array(centres).reshape(-1, 2), np.array(shifts).reshape(-1, 2), textured


def _starts(length: int, side: int) -> list[int]:
    free = length - side
    if free < 0:
        return []
    count = max(1, min(_SIDE_BY_SIDE, 1 + 2 * free // side))
    return sorted({round(free * i / max(count - 1, 1)) for i in range(count)})


def _tensor(luma: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(luma, np.float64))
