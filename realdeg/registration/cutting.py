"""The files of a pair: which photo keeps its pixels, and the other one resampled once.

A degradation is learned from LR's pixels, so they should be those of the camera. Where LR is
smaller than HR, LR is a cut of the wide photo and HR is moved onto its grid. Where LR lies on the
HR grid and shows less detail, it has to be enlarged, so it is the one that moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np

from realdeg.errors import ConfigError, as_given
from realdeg.registration.colour import Colour, ColourTransfer, colour_transfer
from realdeg.registration.pair import Registration, RejectedPairError
from realdeg.registration.photos import in_levels
from realdeg.registration.rectangle import Rectangle, inner_rectangle
from realdeg.registration.transform import Transform
from realdeg.registration.warp import grid, warp

Resampled: TypeAlias = Literal["auto", "hr", "lr"]
"""Which photo is moved: ``"lr"`` as RealSR does, ``"hr"`` to keep LR's own pixels."""

# Two photos of nearly one size: LR needs no enlargement to lie on the HR grid.
SAME_RATIO = 1.15
# HR may be enlarged by this factor (it lacks the detail), and reduced by the other.
_ENLARGED, _REDUCED = 1.25, 2.5
# Pixels at the edges of photos that are left out: demosaicing and filters reach over the edge.
_MARGIN = 4
# Least side of LR in pixels.
_LEAST_SIDE = 32


@dataclass(frozen=True)
class Cut:
    """What is cut from the photos.

    Args:
        scale: HR pixels per LR pixel; 1 where LR lies on the HR grid.
        moved: Which of the two is resampled, ``"hr"`` or ``"lr"``.
        rectangle: The part that keeps its pixels, in pixels of that photo.
    """

    scale: int
    moved: Literal["hr", "lr"]
    rectangle: Rectangle

    def in_tele(self, places: np.ndarray, transform: Transform) -> np.ndarray:
        """Map positions (..., 2) on the grid of LR into the tele photo.

        LR pixel i lies at HR coordinate ``s i + (s - 1) / 2``.
        """
        if self.moved == "hr":
            return transform(places + self.rectangle.start)
        middle = (self.scale - 1) / 2
        positions: np.ndarray = self.scale * places + middle + self.rectangle.start
        return positions

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        one = self.rectangle
        return {
            "photo": "wide" if self.moved == "hr" else "tele",
            "top": one.top,
            "left": one.left,
            "height": one.height,
            "width": one.width,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any], scale: int) -> Cut:
        """Return what :meth:`record` described."""
        sides = [int(record[name]) for name in ("top", "left", "height", "width")]
        return cls(scale, "hr" if record["photo"] == "wide" else "lr", Rectangle(*sides))


@dataclass(frozen=True)
class CutPair:
    """The pixels of a pair.

    Args:
        hr: H x W x 3, of the tele photo's type.
        lr: h x w x 3, of the wide photo's type.
        cut: Where they are from.
        transfer: LR's colours in terms of HR's; applied unless they are kept.
        share: The fraction of the tele photo that is in HR.
    """

    hr: np.ndarray
    lr: np.ndarray
    cut: Cut
    transfer: ColourTransfer
    share: float


def choose_moved(ratio: float, same_size: bool, resample: Resampled) -> Literal["hr", "lr"]:
    """Return which photo is resampled.

    Raises:
        ConfigError: If LR was to keep its pixels but has to be enlarged.
    """
    if same_size and ratio > SAME_RATIO:
        if resample == "hr":
            raise ConfigError(
                f"LR shows the scene {ratio:.2f} times smaller and has to be enlarged to lie on the"
                f" HR grid, so it cannot keep its pixels: leave out {as_given(resample='hr')}, or"
                f" choose {as_given(geometry='scaled')}."
            )
        return "lr"
    return "hr" if resample == "auto" else resample


def cut_pair(
    wide: np.ndarray,
    tele: np.ndarray,
    found: Registration,
    *,
    scale: int,
    same_size: bool,
    resample: Resampled = "auto",
    colour: Colour = "match",
    crop: float = 1.0,
) -> CutPair:
    """Cut HR and LR from two registered photos.

    Args:
        wide: H x W x 3, ``uint8`` or ``uint16``.
        tele: The same.
        found: How they lie to each other.
        scale: HR pixels per LR pixel, unless ``same_size``.
        same_size: Whether LR lies on the HR grid.
        resample: Which of them is moved.
        colour: Whether and how LR gets the colours of HR.
        crop: The central part of what both show that is kept, as a fraction of each side.

    Raises:
        RejectedPairError: If the photos' sizes do not suit the scale, or too little remains.
    """
    stride = 1 if same_size else scale
    moved = choose_moved(found.ratio, same_size, resample)
    if not same_size:
        _check_ratio(found.ratio, scale)
    cut = _place(wide, tele, found, stride, moved, crop)
    if min(_lr_size(cut)) < _LEAST_SIDE:
        size = " x ".join(map(str, _lr_size(cut)))
        raise RejectedPairError(
            f"too little remains: an LR of {size} pixels, at least {_LEAST_SIDE} x {_LEAST_SIDE}"
            " are needed"
        )
    hr, lr, exact = _resampled(wide, tele, found, cut)
    height, width = _lr_size(cut)
    ours = in_levels(lr) if exact is not None else lr
    theirs = in_levels(hr) if hr.dtype != np.float32 else hr
    small = theirs
    if stride > 1:
        small = cv2.resize(theirs, (width, height), interpolation=cv2.INTER_AREA)
    transfer = colour_transfer(ours, small, colour)
    if colour != "keep":
        ours, exact = transfer(ours), None
    share = hr.shape[0] * hr.shape[1] / (tele.shape[0] * tele.shape[1])
    if moved == "hr":
        share *= (found.ratio / stride) ** 2
    return CutPair(
        _as_type(hr, tele.dtype),
        lr if exact is not None else _as_type(ours, wide.dtype),
        cut,
        transfer,
        share,
    )


def _check_ratio(ratio: float, scale: int) -> None:
    if ratio < SAME_RATIO:
        raise RejectedPairError(
            f"both photos show the scene equally large (ratio {ratio:.2f}), so neither is the HR"
            " of the other at a scale: use a longer focal length for the tele photo, or the"
            " geometry same-size"
        )
    if scale > _ENLARGED * ratio:
        raise RejectedPairError(
            f"the tele photo shows the scene {ratio:.2f} times as large, so an HR of scale {scale}"
            " would be interpolated"
        )
    if scale * _REDUCED < ratio:
        raise RejectedPairError(
            f"the tele photo shows the scene {ratio:.2f} times as large, so scale {scale} would"
            " discard most of its detail"
        )


def _place(
    wide: np.ndarray,
    tele: np.ndarray,
    found: Registration,
    stride: int,
    moved: Literal["hr", "lr"],
    crop: float,
) -> Cut:
    if moved == "hr":
        # HR reaches half an LR pixel beyond the centres of LR's outer pixels.
        margin = _MARGIN + found.ratio / 2
        part = inner_rectangle(found.transform, wide.shape, tele.shape, margin)
        step = 1
    else:
        margin = _MARGIN
        part = inner_rectangle(found.transform.inverse, tele.shape, wide.shape, margin)
        step = stride
    if part is None:
        raise RejectedPairError("the photos have no part in common")
    edge = Rectangle(0, 0, *(wide if moved == "hr" else tele).shape[:2])
    part = _within(part, edge, _MARGIN).central(crop, step)
    return Cut(stride, moved, part)


def _within(part: Rectangle, whole: Rectangle, margin: int) -> Rectangle:
    top, left = max(part.top, margin), max(part.left, margin)
    bottom = min(part.top + part.height, whole.height - margin)
    right = min(part.left + part.width, whole.width - margin)
    return Rectangle(top, left, max(bottom - top, 0), max(right - left, 0))


def _lr_size(cut: Cut) -> tuple[int, int]:
    step = 1 if cut.moved == "hr" else cut.scale
    return cut.rectangle.height // step, cut.rectangle.width // step


def _resampled(
    wide: np.ndarray, tele: np.ndarray, found: Registration, cut: Cut
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return HR and LR, the moved one as float32 levels, and LR again if it kept its pixels."""
    part, stride, place = cut.rectangle, cut.scale, found.transform
    if cut.moved == "hr":
        lr = wide[part.slices]
        offset = part.start - (stride - 1) / 2 / stride
        size = (part.height * stride, part.width * stride)
        # A spline, so that the sharp image stays sharp wherever its pixels fall.
        hr = warp(
            in_levels(tele),
            lambda p: place(p / stride + offset),
            size,
            "spline",
            shrinks=found.ratio / stride,
        )
        return hr, lr, lr
    hr = tele[part.slices]
    size = (part.height // stride, part.width // stride)
    start = part.start + (stride - 1) / 2
    lr = warp(
        in_levels(wide),
        lambda p: place.inverse(stride * p + start),
        size,
        "bicubic",
        shrinks=stride / found.ratio,
    )
    return hr, lr, None


def _as_type(levels: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    if levels.dtype == dtype:
        return np.ascontiguousarray(levels)
    factor, most = (257, 65535) if dtype == np.uint16 else (1, 255)
    rounded: np.ndarray = np.clip(levels * factor + 0.5, 0, most).astype(dtype)
    return rounded


def lr_grid(cut: Cut) -> np.ndarray:
    """Return the positions of LR's pixels, shape (h, w, 2)."""
    return grid(_lr_size(cut))
