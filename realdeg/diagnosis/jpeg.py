"""JPEG compression: of a file, from its tables; of pixels, from the steps of their DCT."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from realdeg.diagnosis.limits import (
    COMB,
    COMB_COEFFICIENTS,
    LEAST_BLOCKS,
    LEAST_STEP,
)
from realdeg.utils.image import ImageLocation, open_image

# The luma table of quality 50 in natural order: ITU-T T.81, table K.1.
_LUMA = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61),
        *(12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77),
        *(24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101),
        *(72, 92, 95, 98, 112, 100, 103, 99),
    ]
).reshape(8, 8)
# Coefficients in which steps are sought: the lowest ones but the mean, which photos fill best.
_SOUGHT = [(row, column) for row in range(4) for column in range(4) if 0 < row + column < 5]
_LARGEST_STEP = 60
# Steps that divide the true one fit as well; a larger one must fit nearly as well to be taken.
_AS_GOOD = 0.85


@dataclass(frozen=True)
class JPEGHistory:
    """The compression that pixels went through.

    Args:
        quality: The nearest quality of libjpeg, 1 to 100.
        steps: Quantisation steps found, by (row, column) of the coefficient.
        offset: Rows and columns from the upper left corner to the first whole block.
    """

    quality: int
    steps: dict[tuple[int, int], int]
    offset: tuple[int, int]


def quality_of_file(path: ImageLocation) -> int | None:
    """Return the quality of a JPEG file from its luma table; None for other files.

    The scale is libjpeg's; tables of other programs give the quality whose table is nearest.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), open_image(path) as stream:
            warnings.simplefilter("ignore")
            with Image.open(stream, formats=["JPEG"]) as image:
                table = getattr(image, "quantization", {}).get(0)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    if not table or len(table) != 64:
        return None
    return _nearest_quality({divmod(k, 8): int(step) for k, step in enumerate(table)})


def luma_table(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luma table of a quality, 8 x 8."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMA * scale + 50) // 100, 1, 255).astype(np.int64)


def find_history(luma: NDArray[np.float32]) -> JPEGHistory | None:
    """Find an earlier JPEG compression in the pixels of an image.

    The DCT coefficients of a decoded JPEG lie near multiples of their quantisation step, which a
    periodogram of their values shows. Blocks may begin anywhere, as in a crop.

    Args:
        luma: The luma of an image, or its central part, in 8-bit levels, shape (H, W).

    Returns:
        The history; None if there is none to be seen, which is the case for qualities above about
        95, and if the image was resized, turned or edited since.

    Source:
        Fan and de Queiroz, "Identification of Bitmap Compression History: JPEG Detection and
        Quantizer Estimation", IEEE TIP 2003.
    """
    for offset in _offsets(luma):
        part = luma[offset[0] :, offset[1] :]
        rows, columns = part.shape[0] // 8, part.shape[1] // 8
        if rows * columns < LEAST_BLOCKS:
            return None
        blocks = part[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2)
        flat = blocks.reshape(-1, 8, 8)
        # Clipped pixels do not keep the coefficients.
        inside = (flat.min((1, 2)) > 1) & (flat.max((1, 2)) < 254)
        if int(inside.sum()) < LEAST_BLOCKS:
            return None
        coefficients = dctn(flat[inside], axes=(1, 2), norm="ortho")
        steps = {}
        for place in _SOUGHT:
            step = _step(coefficients[:, place[0], place[1]])
            if step is not None:
                steps[place] = step
        if len(steps) >= COMB_COEFFICIENTS and max(steps.values()) >= LEAST_STEP:
            return JPEGHistory(_nearest_quality(steps), steps, offset)
    return None


def _offsets(luma: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return where the grid of blocks may begin: at the corner, and where steps are largest."""
    # Edges along the axes cancel in differences of differences.
    corner = np.abs(np.diff(np.diff(luma, axis=0), axis=1))
    corner = np.minimum(corner, 4 * np.median(corner) + 1)
    found = []
    for axis in (0, 1):
        line = corner.mean(1 - axis)
        excess = line[1:-1] - (line[:-2] + line[2:]) / 2
        mean = [float(np.median(excess[start::8])) for start in range(8)]
        # Line k + 1 lies between the pixels k + 1 and k + 2.
        found.append((int(np.argmax(mean)) + 2) % 8)
    return list(dict.fromkeys([(0, 0), (found[0], found[1])]))


def _step(values: NDArray[np.floating]) -> int | None:
    """Return the quantisation step of one coefficient, or None."""
    size = np.abs(values)
    scores = np.zeros(_LARGEST_STEP + 1)
    for step in range(2, _LARGEST_STEP + 1):
        # Values around zero are near a multiple of every step.
        away = size[size > step / 2]
        if len(away) < 50:
            break
        # A smooth distribution gives a mean of zero, with this deviation.
        scores[step] = float(np.cos(2 * np.pi * away / step).mean()) - 2 / np.sqrt(2 * len(away))
    best = scores.max()
    if best < COMB:
        return None
    return int(np.flatnonzero(scores >= _AS_GOOD * best)[-1])


def _nearest_quality(steps: dict[tuple[int, int], int]) -> int:
    places = tuple(np.array(list(steps)).T)
    found = np.array(list(steps.values()), float)
    errors = [
        float(np.abs(np.log(luma_table(quality)[places] / found)).sum())
        for quality in range(1, 101)
    ]
    # Neighbouring qualities may have the same steps.
    return 100 - int(np.argmin(errors[::-1]))
