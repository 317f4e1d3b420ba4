"""Where an image lies in the photo that it was cut from.

A lens blurs by the distance from its axis, so what a crop went through depends on its place. The
place is kept in ``meta["place"]`` of a sample, next to ``crop`` and ``flip``: six plain numbers, in
the order of :class:`Place`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

from realdeg.errors import DataError
from realdeg.utils.samples import Batch

# Pixels by which a place may lie outside of its photo: photos are cropped to whole LR pixels.
_SLACK = 1e-6


class Place(NamedTuple):
    """Where an image lies in its photo, in pixels of the image; all sizes may be fractions.

    The optical axis goes through the middle of the photo.

    Attributes:
        top: Distance from the photo's upper edge.
        left: Distance from the photo's left edge.
        height: The image's height.
        width: The image's width.
        photo_height: The photo's height.
        photo_width: The photo's width.
    """

    top: float
    left: float
    height: float
    width: float
    photo_height: float
    photo_width: float

    @classmethod
    def whole(cls, height: float, width: float) -> Place:
        """Return the place of a whole photo."""
        return cls(0, 0, height, width, height, width)

    def cropped(self, top: float, left: float, height: float, width: float) -> Place:
        """Return the place of a window of the image."""
        return self._replace(top=self.top + top, left=self.left + left, height=height, width=width)

    def flipped(
        self, horizontal: bool = False, vertical: bool = False, transpose: bool = False
    ) -> Place:
        """Return the place of the flipped image in the photo that is flipped alike.

        A lens that is symmetric about its axis takes the flipped photo of the flipped scene, so
        blur and place still match. One that is not has to be trained without flips.
        """
        left = self.photo_width - self.left - self.width if horizontal else self.left
        top = self.photo_height - self.top - self.height if vertical else self.top
        turned = self._replace(top=top, left=left)
        if not transpose:
            return turned
        top, left, height, width, photo_height, photo_width = turned
        return Place(left, top, width, height, photo_width, photo_height)

    def resized(self, height: float, width: float) -> Place:
        """Return the place of the image after it was resized, in its new pixels."""
        down, across = height / self.height, width / self.width
        return Place(
            self.top * down, self.left * across, height, width,
            self.photo_height * down, self.photo_width * across,
        )  # fmt: skip


def as_place(value: Any, where: str) -> Place:
    """Return a checked place from plain data, which may come from an untrusted source.

    Args:
        value: Six numbers in the order of :class:`Place`.
        where: What holds it, for messages: ``"the trace of DML"``.

    Raises:
        DataError: If it is not six finite numbers, or the image does not lie in its photo.
    """
    names = ", ".join(Place._fields)
    plain = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if not plain or len(value) != len(Place._fields) or not all(_is_number(n) for n in value):
        raise DataError(f"{where}: 'place' is {value!r:.60}, wanted six numbers: {names}.")
    place = Place(*value)
    inside = (
        min(place.height, place.width) > 0
        and min(place.top, place.left) >= -_SLACK
        and place.top + place.height <= place.photo_height * (1 + _SLACK)
        and place.left + place.width <= place.photo_width * (1 + _SLACK)
    )
    if not inside:
        raise DataError(
            f"{where}: an image of {place.height:g} x {place.width:g} pixels at row {place.top:g},"
            f" column {place.left:g} does not lie in a photo of {place.photo_height:g} x"
            f" {place.photo_width:g}."
        )
    return place


def places_in(batch: Batch) -> list[Place | None]:
    """Return where each image of a batch lies in its photo; None where that is not known.

    Raises:
        DataError: If a place in ``meta`` is not one.
    """
    metas = batch.get("meta") or [{} for _ in range(batch["hr"].shape[0])]
    known = [(meta or {}).get("place") for meta in metas]
    return [None if one is None else as_place(one, "an image's meta") for one in known]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
