"""The contract of every transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from realdeg.errors import DataError, GeometryError
from realdeg.utils.place import Place, as_place
from realdeg.utils.samples import PackedSample, Sample
from realdeg.utils.scales import as_scale, hr_length, lr_length


class Transform(ABC):
    """One step between a decoded sample and a packed one.

    It receives a :class:`~realdeg.utils.samples.Sample`. All random decisions come from its
    ``stream.rng(name)``, so a sample is the same in every worker, process and resumed run. Arrays
    are read-only, because they may be cached for the next epoch.
    """

    crops_remainder: ClassVar[bool] = False
    """Whether HR is cropped to a multiple of the scale here, so that checks accept it."""

    makes_lr: ClassVar[bool] = False
    """Whether this step adds LR to a sample without one."""

    keeps_size: ClassVar[bool] = False
    """Whether this step keeps the size of HR, except for swapped sides."""

    config_fields: ClassVar[Mapping[str, str]] = {}
    """Arguments filled from a config's top-level field of another name."""

    packs: ClassVar[bool] = False
    """Whether this step turns arrays into tensors, so that it must be last."""

    @abstractmethod
    def __call__(self, results: Sample) -> Sample | PackedSample:
        """Return the transformed sample."""

    def required_size(self, after: int) -> int:
        """Return the least height and width that this step needs to leave ``after`` HR pixels."""
        return after

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({inner})"


def stride_of(results: Sample) -> int | float:
    """Return HR pixels per LR pixel: 1 if ``same_size``, else ``scale``.

    Raises:
        GeometryError: If the sizes of a pair contradict that.
    """
    stride = 1 if results["same_size"] else as_scale(results["scale"])
    lr = results.get("lr")
    if lr is not None:
        hr = results["hr"].shape[:2]
        if (lr_length(hr[0], stride), lr_length(hr[1], stride)) != lr.shape[:2]:
            raise GeometryError(
                f"the pair '{results['key']}' has HR {hr[0]} x {hr[1]} and LR {lr.shape[0]} x"
                f" {lr.shape[1]}, which is not scale={results['scale']},"
                f" same_size={results['same_size']}: set these to match the data."
            )
    return stride


def cut(results: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """Crop HR and LR to the same window, in LR pixels if there is LR, else in HR pixels.

    The window in HR pixels is noted in ``meta['crop']``, and ``meta['place']`` follows it.
    """
    lr = results.get("lr")
    stride = stride_of(results) if lr is not None else 1
    if lr is not None:
        results["lr"] = lr[top : top + height, left : left + width]
    top, left, height, width = (hr_length(side, stride) for side in (top, left, height, width))
    results["hr"] = results["hr"][top : top + height, left : left + width]
    results["meta"]["crop"] = (top, left, height, width)
    place = place_in(results)
    if place is not None:
        results["meta"]["place"] = place.cropped(top, left, height, width)
    return results


def place_in(results: Sample) -> Place | None:
    """Return where a sample's HR lies in its photo, if that is known."""
    place = results["meta"].get("place")
    return None if place is None else as_place(place, f"'{results['key']}'")


def refuse_small(results: Sample, size: int, name: str) -> None:
    """Raise DataError if an image is smaller than a patch."""
    height, width = results["hr"].shape[:2]
    if min(height, width) < size:
        raise DataError(
            f"{name}: the image '{results['key']}' is {height} x {width} pixels, smaller than the"
            f" patch of {size}. Use a smaller patch_size or remove the image."
        )
