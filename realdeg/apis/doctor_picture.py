"""The picture of a diagnosis: what a person would rather look at than read."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realdeg.diagnosis import Diagnosis, Finding, ImageSet
from realdeg.diagnosis.limits import BLACK, WHITE
from realdeg.errors import DataError
from realdeg.utils.image import ImageFile, as_rgb, read_image
from realdeg.visualization.sheets import busiest_crop
from realdeg.visualization.style import (
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    save_figure,
    write_text,
    write_title,
)

Panels = list[tuple[str, NDArray[np.uint8]]]

# Rows at most, and inches.
_ROWS, _CELL, _GAP, _TEXT = 8, 1.9, 0.12, 3.6
# Side of a crop in pixels of HR, and of a whole image in the picture.
_CROP, _WHOLE = 128, 480
_MARK = (229, 32, 160)


@dataclass(frozen=True)
class _Case:
    finding: Finding
    file: ImageFile
    panels: Panels


def draw_worst(
    diagnosis: Diagnosis, sets: Sequence[ImageSet], path: str | os.PathLike[str]
) -> Path | None:
    """Draw the worst file of each finding, errors first, with what shows the fault.

    Misaligned pairs are laid over each other (HR red, LR cyan), clipped pixels are marked, spectra
    are drawn for what concerns detail, copies stand side by side.

    Args:
        diagnosis: The findings.
        sets: The data sets.
        path: The file to write.

    Returns:
        The path; None if no finding can be shown.

    Raises:
        OutputError: If it cannot be written.
    """
    partners = {}
    for one in sets:
        for record in one.records:
            if record.lr is not None:
                partners[record.lr] = partners[record.hr] = (record.hr, record.lr)
    cases: list[_Case] = []
    for finding in diagnosis.findings:
        draw = _DRAWN.get(finding.check)
        if draw is None or not finding.files or len(cases) >= _ROWS:
            continue
        try:
            panels = draw(finding, partners)
        except DataError:
            continue  # a file that cannot be read is another finding
        if panels:
            cases.append(_Case(finding, finding.files[0], panels))
    return _draw(cases, path, diagnosis.target) if cases else None


def _draw(cases: Sequence[_Case], path: str | os.PathLike[str], title: str) -> Path:
    most = max(len(case.panels) for case in cases)
    above, label = 0.42, 0.2
    height = above + len(cases) * (_CELL + label + _GAP)
    figure = new_figure(most * (_CELL + _GAP) + _TEXT + 2 * _GAP, height)
    top = above
    for case in cases:
        for column, (name, image) in enumerate(case.panels):
            left = _GAP + column * (_CELL + _GAP)
            axes = axes_at(figure, left, top + label, _CELL, _CELL)
            hide_ticks(axes)
            axes.imshow(
                image, interpolation="nearest" if max(image.shape) < _WHOLE else "antialiased"
            )
            write_text(figure, left + _CELL / 2, top + label / 2, name, fontsize=SMALL_SIZE)
        left = most * (_CELL + _GAP) + 2 * _GAP
        lines = [f"{case.finding.check}: {case.finding.severity}"]
        lines += textwrap.wrap(case.finding.message, 56)[:8]
        for number, line in enumerate(lines):
            style: dict[str, Any] = {"fontsize": SMALL_SIZE, "horizontalalignment": "left"}
            style["fontweight"] = "normal" if number else "bold"
            write_text(figure, left, top + label + 0.12 + 0.16 * number, line, **style)
        top += _CELL + label + _GAP
    write_title(figure, title if len(title) < 80 else f"…{title[-78:]}")
    return save_figure(figure, path)


def _read(path: ImageFile) -> NDArray[np.uint8]:
    pixels = as_rgb(read_image(path))
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _whole(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = min(1.0, _WHOLE / max(image.shape[:2]))
    size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _crop(image: NDArray[np.uint8], place: tuple[int, int], side: int) -> NDArray[np.uint8]:
    return image[place[0] : place[0] + side, place[1] : place[1] + side]


def _sides(
    finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Return crops of HR and LR of the same place and size in pixels, LR enlarged."""
    pair = partners.get(finding.files[0])
    if pair is None:
        return None
    hr, lr = _read(pair[0]), _read(pair[1])
    if hr.shape != lr.shape:
        lr = np.asarray(cv2.resize(lr, hr.shape[1::-1], interpolation=cv2.INTER_CUBIC))
    side = min(_CROP, *hr.shape[:2])
    place = busiest_crop(hr, side)
    return _crop(hr, place, side), _crop(lr, place, side)


def _pair(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    sides = _sides(finding, partners)
    return [] if sides is None else [("HR", sides[0]), ("LR", sides[1])]


def _overlay(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    sides = _sides(finding, partners)
    if sides is None:
        return []
    grey = [cv2.cvtColor(side, cv2.COLOR_RGB2GRAY) for side in sides]
    laid = np.stack([grey[0], grey[1], grey[1]], 2)
    return [("HR", sides[0]), ("LR", sides[1]), ("HR red, LR cyan", laid.astype(np.uint8))]


def _clipped(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    image = _whole(_read(finding.files[0]))
    marked = image.copy()
    marked[(image.min(2) >= WHITE) | (image.max(2) <= BLACK)] = _MARK
    return [(finding.files[0].name, image), ("clipped pixels", marked)]


def _spectrum(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    image = _read(finding.files[0])
    side = min(512, *image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    luma = cv2.cvtColor(_crop(image, (top, left), side), cv2.COLOR_RGB2GRAY).astype(np.float32)
    taper = np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2((luma - luma.mean()) * np.outer(taper, taper)))) ** 2
    level = 10 * np.log10(cv2.GaussianBlur(power, (0, 0), 2) / float((taper**2).sum() ** 2) + 1e-9)
    shown = np.clip((level + 15) / 60, 0, 1) * 255
    crop = min(_CROP, side)
    detail = _crop(image, busiest_crop(image, crop), crop)
    colours = cv2.applyColorMap(shown.astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return [(finding.files[0].name, detail), ("spectrum, edge: Nyquist", _whole(colours))]


def _blocks(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    image = _read(finding.files[0])
    crop = min(_CROP // 2, *image.shape[:2])
    detail = _crop(image, busiest_crop(image, crop), crop)
    contrast = detail.astype(np.float32)
    contrast = contrast - cv2.GaussianBlur(contrast, (0, 0), 2)
    raised = np.clip(128 + 4 * contrast, 0, 255).astype(np.uint8)
    return [(finding.files[0].name, detail), ("fine detail x 4", raised)]


def _image(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    image = _read(finding.files[0])
    crop = min(_CROP, *image.shape[:2])
    return [
        (finding.files[0].name, _whole(image)),
        ("where it has most detail", _crop(image, busiest_crop(image, crop), crop)),
    ]


def _beside(finding: Finding, partners: dict[ImageFile, tuple[ImageFile, ImageFile]]) -> Panels:
    return [(file.name, _whole(_read(file))) for file in finding.files[:2]]


_DRAWN: dict[str, Callable[[Finding, dict[ImageFile, tuple[ImageFile, ImageFile]]], Panels]] = {
    "alignment": _overlay,
    "regions": _overlay,
    "different": _pair,
    "swapped": _pair,
    "gain": _pair,
    "colour": _pair,
    "enlarged": _spectrum,
    "blurred": _image,
    "jpeg": _blocks,
    "exposure": _clipped,
    "duplicates": _beside,
    "leak": _beside,
    "grey": _image,
}
