"""Windows of an image or a pair."""

from __future__ import annotations

import math
from typing import Any

from realdeg.datasets.transforms.base import Transform, cut, refuse_small, stride_of
from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS
from realdeg.utils.scales import as_scale, divides, hr_length, lr_length


class _PatchTransform(Transform):
    def __init__(self, patch_size: int) -> None:
        if isinstance(patch_size, bool) or not isinstance(patch_size, int) or patch_size < 1:
            raise ConfigError(
                f"{type(self).__name__}: patch_size is a positive number of HR pixels, got"
                f" {patch_size!r}."
            )
        self.patch_size = patch_size

    def required_size(self, after: int) -> int:
        """Say how large an image must be before this step."""
        return max(after, self.patch_size)

    def _room(self, results: dict[str, Any]) -> tuple[int, int, int]:
        """Return the last top, the last left and the patch, in pixels of the coarser image."""
        name = type(self).__name__
        refuse_small(results, self.patch_size, name)
        stride = stride_of(results)
        if not divides(self.patch_size, stride):
            raise ConfigError(
                f"{name}: patch_size={self.patch_size} HR pixels does not divide by the scale"
                f" {stride}."
            )
        if results.get("lr") is None:
            height, width = results["hr"].shape[:2]
            return height - self.patch_size, width - self.patch_size, self.patch_size
        if not isinstance(stride, int):
            raise ConfigError(
                f"{name}: at scale {stride} a patch of LR need not begin on a whole HR pixel, so"
                " pairs are not cut: take HR images and a degradation."
            )
        height, width = results["lr"].shape[:2]
        patch = self.patch_size // stride
        return height - patch, width - patch, patch


@TRANSFORMS.register_module()
class PairedCrop(_PatchTransform):
    """Cut a random square patch, the same scene from HR and LR.

    Every place is equally likely. A pair is cut on LR's grid, HR alone on its own.

    Args:
        patch_size: Side in HR pixels; a multiple of the scale unless ``same_size``.

    Raises:
        ConfigError: If the patch does not fit the scale.
        DataError: If an image is smaller than the patch, naming it; nothing is padded.
        GeometryError: If the sizes of a pair contradict the settings.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with its images cut."""
        last_top, last_left, patch = self._room(results)
        rng = results["stream"].rng("crop")
        top = int(rng.integers(last_top + 1))
        left = int(rng.integers(last_left + 1))
        return cut(results, top, left, patch, patch)


@TRANSFORMS.register_module()
class CentreCrop(_PatchTransform):
    """Cut the square patch in the middle.

    Args:
        patch_size: Side in HR pixels; a multiple of the scale unless ``same_size``.

    Raises:
        ConfigError: If the patch does not fit the scale.
        DataError: If an image is smaller than the patch, naming it; nothing is padded.
        GeometryError: If the sizes of a pair contradict the settings.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with its images cut."""
        last_top, last_left, patch = self._room(results)
        return cut(results, last_top // 2, last_left // 2, patch, patch)


@TRANSFORMS.register_module()
class ModCrop(Transform):
    """Cut rows and columns off the end until the size divides, as benchmarks do.

    Args:
        multiple: What HR's height and width shall divide by; None takes the scale. LR is cut
            along.

    Raises:
        ConfigError: If ``multiple`` is not positive, or cuts LR between two pixels.
        DataError: If nothing would be left of an image.
    """

    crops_remainder = True

    def __init__(self, multiple: int | None = None) -> None:
        if multiple is not None and multiple < 1:
            raise ConfigError(f"ModCrop: multiple is positive, got {multiple}.")
        self.multiple = multiple

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with its images cut."""
        multiple = self.multiple or as_scale(results["scale"])
        refuse_small(results, math.ceil(multiple), "ModCrop")
        height, width = (
            hr_length(lr_length(side, multiple), multiple) for side in results["hr"].shape[:2]
        )
        if results.get("lr") is None:
            return cut(results, 0, 0, height, width)
        stride = stride_of(results)
        if self.multiple is not None and multiple % stride:
            raise ConfigError(
                f"ModCrop: multiple={multiple} does not divide by the scale {stride}."
            )
        return cut(results, 0, 0, lr_length(height, stride), lr_length(width, stride))
