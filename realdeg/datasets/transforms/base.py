"""The contract of every transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from realdeg.errors import DataError, GeometryError
from realdeg.utils.samples import PackedSample, Sample
from realdeg.utils.scales import as_scale, hr_length, lr_length


class Transform(ABC):
    """One step between a decoded sample and a packed one.

    It takes a :class:`~realdeg.utils.samples.Sample`. Random decisions come from its
    ``stream.rng(name)`` and nowhere else, so a sample is the same in every worker, process and
    resumed run. Arrays are read-only: they may be kept for the next epoch.
    """

    crops_remainder: ClassVar[bool] = False
    """Whether HR that does not divide by the scale is cut here, so that checks let it pass."""

    makes_lr: ClassVar[bool] = False
    """Whether this step adds the LR image of a sample that has none."""

    keeps_size: ClassVar[bool] = False
    """Whether HR leaves this step as large as it came, or with its sides exchanged."""

    config_fields: ClassVar[Mapping[str, str]] = {}
    """Arguments that take a field of a config's top level which goes by another name."""

    packs: ClassVar[bool] = False
    """Whether this step makes the arrays tensors, so that no other can follow."""

    @abstractmethod
    def __call__(self, results: Sample) -> Sample | PackedSample:
        """Return the transformed sample.

        Args:
            results: The sample.
        """

    def required_size(self, after: int) -> int:
        """Say how large an image must be before this step.

        Args:
            after: The least height and width, in HR pixels, wanted after it.

        Returns:
            The least height and width wanted before it.
        """
        return after

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({inner})"


def stride_of(results: Sample) -> int | float:
    """Return HR pixels per LR pixel, after comparing the sizes of a pair with the settings.

    Args:
        results: The sample.

    Returns:
        1 if ``same_size``, else ``scale``.

    Raises:
        GeometryError: If HR and LR are of other sizes than the settings say.
    """
    stride = 1 if results["same_size"] else as_scale(results["scale"])
    lr = results.get("lr")
    if lr is not None:
        hr = results["hr"].shape[:2]
        if (lr_length(hr[0], stride), lr_length(hr[1], stride)) != lr.shape[:2]:
            raise GeometryError(
                f"the pair '{results['key']}' has HR {hr[0]} x {hr[1]} and LR {lr.shape[0]} x"
                f" {lr.shape[1]}, which is not scale={results['scale']},"
                f" same_size={results['same_size']}: set these as the data are."
            )
    return stride


def cut(results: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """Cut the same window out of HR and LR.

    Args:
        results: The sample.
        top: First row, in LR pixels where there is LR.
        left: First column, likewise.
        height: Rows, likewise.
        width: Columns, likewise.

    Returns:
        The sample, with the window in HR pixels noted in ``meta['crop']``.
    """
    lr = results.get("lr")
    stride = stride_of(results) if lr is not None else 1
    if lr is not None:
        results["lr"] = lr[top : top + height, left : left + width]
    top, left, height, width = (hr_length(side, stride) for side in (top, left, height, width))
    results["hr"] = results["hr"][top : top + height, left : left + width]
    results["meta"]["crop"] = (top, left, height, width)
    return results


def refuse_small(results: Sample, size: int, name: str) -> None:
    """Refuse an image smaller than a patch.

    Raises:
        DataError: Naming the image.
    """
    height, width = results["hr"].shape[:2]
    if min(height, width) < size:
        raise DataError(
            f"{name}: the image '{results['key']}' is {height} x {width} pixels, smaller than the"
            f" patch of {size}. Take a smaller patch_size or leave the image out."
        )
