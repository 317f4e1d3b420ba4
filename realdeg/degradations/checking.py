"""What every degradation refuses: images, seeds and traces that do not belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from realdeg.degradations.trace import Trace
from realdeg.errors import DataError, GeometryError
from realdeg.utils.place import Place, as_place
from realdeg.utils.scales import divides

if TYPE_CHECKING:
    from realdeg.degradations.base import Degradation

# Unclipped noise of sigma 255 stays below this; an 8-bit image does not, unless almost black.
_LARGEST_VALUE = 16.0


class ChecksInput:
    """Mix-in of :class:`Degradation`: checks of what it is called with."""

    _range_seen = False

    def check_input(self, hr: Tensor) -> None:
        """Check that this degradation can take a batch.

        Args:
            hr: HR batch, shape (B, C, H, W) with C = 1 or 3.

        Raises:
            DataError: If it is not a batch of grey or RGB images in [0, 1].
            GeometryError: If the size is not divisible by the scale.
        """
        own, name = cast("Degradation", self), type(self).__name__
        if hr.ndim != 4 or hr.shape[1] not in (1, 3):
            raise DataError(
                f"{name} takes (B, C, H, W) with C = 1 or 3, got shape {tuple(hr.shape)}."
            )
        height, width = hr.shape[2:]
        if not hr.is_floating_point():
            raise DataError(
                f"{name} takes floating-point images in [0, 1], got {hr.dtype}: divide by 255 (or"
                " 65535) first."
            )
        if height == 0 or width == 0:
            raise DataError(f"{name} got an image without pixels: {height} x {width}.")
        self._check_range(hr)
        if not divides(height, own.stride) or not divides(width, own.stride):
            raise GeometryError(
                f"{name} with scale {own.scale} cannot take an HR image of {height} x {width}: it"
                f" is not divisible by {own.scale}. Crop it first."
            )

    def check_seeds(self, hr: Tensor, seeds: Sequence[int]) -> None:
        """Raise DataError unless there is one seed per image."""
        if len(seeds) != hr.shape[0]:
            raise DataError(f"{len(seeds)} seeds were given for a batch of {hr.shape[0]} images.")

    def check_places(self, hr: Tensor, places: Sequence[Place | None] | None) -> list[Place | None]:
        """Return one place per image, None where it is unknown.

        Raises:
            DataError: If there is not one for each image, or a place is that of another size.
        """
        if places is None:
            return [None] * hr.shape[0]
        if len(places) != hr.shape[0]:
            raise DataError(f"{len(places)} places were given for a batch of {hr.shape[0]} images.")
        for place in places:
            self.check_place(hr, place)
        return list(places)

    def check_place(self, hr: Tensor, place: Place | None) -> None:
        """Raise DataError if a place is not that of an image of this size."""
        if place is None:
            return
        given = as_place(place, f"{type(self).__name__}")
        if (round(given.height), round(given.width)) != tuple(hr.shape[2:]):
            raise DataError(
                f"{type(self).__name__}: the place of an image of {given.height:g} x"
                f" {given.width:g} pixels was given for one of {hr.shape[2]} x {hr.shape[3]}."
            )

    def _check_range(self, hr: Tensor) -> None:
        """Refuse 8- or 16-bit values that were not rescaled; overshoot and noise may pass."""
        if not hr.numel() or torch.compiler.is_compiling():
            return
        if hr.device.type != "cpu":
            # Reading values makes the CPU wait for the device: once is enough.
            if self._range_seen:
                return
            self._range_seen = True
        low, high = (float(value) for value in hr.detach().aminmax())
        if not -_LARGEST_VALUE <= low <= high <= _LARGEST_VALUE:
            raise DataError(
                f"{type(self).__name__} takes images in [0, 1], found values from {low:g} to"
                f" {high:g}: divide by 255 (or 65535) first; if NaN is shown, find its source."
            )

    def check_traces(self, hr: Tensor, traces: Sequence[Trace]) -> None:
        """Check that traces belong to this degradation and batch.

        Args:
            hr: HR batch, shape (B, C, H, W).
            traces: One trace per image.

        Raises:
            DataError: If the number, type, image size, geometry or weights differ.
        """
        self.check_input(hr)
        name = type(self).__name__
        if len(traces) != hr.shape[0]:
            raise DataError(f"{len(traces)} traces were given for a batch of {hr.shape[0]}.")
        expected = cast("Degradation", self).trace_params() if traces else {}
        for trace in traces:
            if trace.type != name:
                raise DataError(f"a trace of {trace.type} cannot be replayed by {name}.")
            if trace.size[1:] != tuple(hr.shape[2:]):
                raise DataError(
                    f"a trace for {trace.size[1]} x {trace.size[2]} pixels cannot be replayed on"
                    f" an image of {hr.shape[2]} x {hr.shape[3]}."
                )
            for key, value in expected.items():
                found = trace.params.get(key)
                # By type first: an array, which any trace may hold, compares element by element.
                if type(found) is not type(value) or found != value:
                    raise DataError(
                        f"a trace of {name} says {key} = {found!r:.60}, this object has {value!r}."
                    )
