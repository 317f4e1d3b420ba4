"""Registered pairs: what LR and HR had in common before, and afterwards."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realdeg.visualization.style import (
    INK,
    LABEL_SIZE,
    MUTED,
    SMALL_SIZE,
    TITLE_SIZE,
    hide_ticks,
    new_figure,
    save_figure,
)

_CELL, _CAPTION = 2.0, 0.26
# Differences are drawn around mid-grey, enlarged by this factor.
_AMPLIFIED = 3.0
_SQUARES = 4


@dataclass(frozen=True)
class RegistrationRow:
    """The crops of one pair, all of one size in 8-bit levels, (h, w, 3).

    Args:
        name: The pair.
        hr: HR on the grid of LR.
        before: LR where it would be by nominal scale and centre alone.
        after: LR as it was registered.
        shift_before: Median displacement of ``before`` in LR pixels.
        shift_after: Median displacement that was measured afterwards, or None.
        worst: The largest of them, or None.
    """

    name: str
    hr: np.ndarray
    before: np.ndarray
    after: np.ndarray
    shift_before: float
    shift_after: float | None
    worst: float | None


def registration_picture(
    rows: Sequence[RegistrationRow],
    path: str | os.PathLike[str],
    count: int,
    residual: float | None,
) -> Path:
    """Draw one row per pair: HR, checkerboards of HR and LR, and differences.

    Args:
        rows: The pairs to draw.
        path: The file.
        count: How many pairs there are.
        residual: Median of all pairs in LR pixels, or None.

    Raises:
        OutputError: If the file cannot be written.
    """
    headings = (
        *("HR on the LR grid", "squares: HR, LR before", "squares: HR, LR after"),
        *("LR - HR before", "LR - HR after"),
    )
    figure = new_figure(
        len(headings) * _CELL + 0.2, len(rows) * (_CELL + _CAPTION) + 0.75, layout="constrained"
    )
    text = f"{count} registered pairs"
    if residual is not None:
        text += f", median residual shift {residual:.3f} LR px"
    if count > len(rows):
        text += f"; the {len(rows)} with the largest"
    figure.suptitle(text, fontsize=TITLE_SIZE, color=INK)
    axes = figure.subplots(len(rows), len(headings), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        crops = (
            *(row.hr, _checkerboard(row.hr, row.before), _checkerboard(row.hr, row.after)),
            *(_difference(row.before, row.hr), _difference(row.after, row.hr)),
        )
        after = "not measured" if row.shift_after is None else f"{row.shift_after:.3f} px"
        if row.worst is not None:
            after += f", worst {row.worst:.3f}"
        captions = (row.name[:28], "", "", f"{row.shift_before:.2f} px", after)
        for place, crop, heading, caption in zip(line, crops, headings, captions, strict=True):
            place.imshow(np.clip(crop, 0, 255).astype(np.uint8), interpolation="nearest")
            hide_ticks(place)
            place.set_xlabel(caption, fontsize=SMALL_SIZE, color=MUTED)
            if row is rows[0]:
                place.set_title(heading, fontsize=LABEL_SIZE, color=INK)
    return save_figure(figure, path, dpi=120)


def _checkerboard(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(n) * _SQUARES // n for n in first.shape[:2])
    odd = (rows[:, None] + columns) % 2 == 1
    return np.where(odd[..., None], second, first)


def _difference(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    gap = image - reference
    return 128 + _AMPLIFIED * (gap - gap.mean((0, 1)))
