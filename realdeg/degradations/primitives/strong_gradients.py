"""Where an image has strong gradients, as KernelGAN weighs its pixels."""

from __future__ import annotations

import cv2
import numpy as np

_WINDOW = 5
_SHARE = 0.97
_STEP = 10e-6  # between the two thresholds where many gradients are equal


def strong_gradients(luma: np.ndarray) -> np.ndarray:
    """Weigh pixels by the strong gradients around them.

    Gradients by rows and by columns and their magnitude are set to 0 within 5 pixels of the border
    and each cut to what its strongest 3 % exceed; their sum, each divided by its own, is blurred
    by a box of 5 x 5.

    Args:
        luma: (h, w).

    Returns:
        (h, w) in float64, 1 on average; 0 everywhere for an image without gradients.

    Source:
        create_gradient_map of sefibk/KernelGAN (util.py), as copied in JingyunLiang/FKP
        (KernelGANFKP/util.py, commit 127c121).
    """
    luma = luma.astype(np.float64)
    by_row, by_column = np.gradient(luma)
    maps = (np.hypot(by_row, by_column), np.abs(by_row), np.abs(by_column))
    total = np.zeros_like(luma)
    for one in maps:
        strong = _strongest(_without_edges(one, _WINDOW))
        if strong.sum() > 0:
            total += strong / strong.sum()
    blurred: np.ndarray = cv2.blur(total, (_WINDOW, _WINDOW), borderType=cv2.BORDER_CONSTANT)
    mean = blurred.mean()
    return blurred / mean if mean > 0 else blurred


def crop_chances(
    weights: np.ndarray, crop: tuple[int, int], window: int, grid: int = 1
) -> np.ndarray:
    """Return how likely each crop is to be drawn: by the gradients in its middle.

    Args:
        weights: The strength of gradients, (h, w).
        crop: Height and width of the crops.
        window: Side of the box around a crop's middle over which strengths are averaged.
        grid: Rows and columns of the crops' first pixels are multiples of it.

    Returns:
        (rows, columns) of first pixels, float64, summing to 1; equal where no crop has strong
        gradients in its middle.

    Source:
        create_probability_map of sefibk/KernelGAN, as copied in JingyunLiang/FKP
        (KernelGANFKP/util.py, commit 127c121).
    """
    blurred = cv2.blur(weights.astype(np.float64), (window, window), borderType=cv2.BORDER_CONSTANT)
    rows, columns = (
        slice(side // 2, side // 2 + length - side + 1, grid)
        for side, length in zip(crop, weights.shape, strict=True)
    )
    chances = np.maximum(blurred[rows, columns], 0)
    if not chances.sum() > 0:
        chances = np.ones_like(chances)
    found: np.ndarray = chances / chances.sum()
    return found


def _without_edges(values: np.ndarray, edge: int) -> np.ndarray:
    kept = np.zeros_like(values)
    kept[edge:-edge, edge:-edge] = values[edge:-edge, edge:-edge]
    return kept


def _strongest(values: np.ndarray) -> np.ndarray:
    """Keep what the strongest 3 % exceed the others by, up to the next larger value."""
    ordered = np.sort(values.ravel())
    pivot = min(int(_SHARE * len(ordered)), len(ordered) - 2)
    low, high = ordered[pivot], ordered[pivot + 1]
    high = high if high > low else low + _STEP
    cut: np.ndarray = np.clip(values, low, high) - low
    return cut
