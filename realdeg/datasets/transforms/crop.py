"""Crops of an image or a pair."""

from __future__ import annotations

import math
from collections.abc import Mapping

from realdeg.datasets.transforms.base import Transform, cut, refuse_small, stride_of
from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS
from realdeg.utils.argument_types import Count
from realdeg.utils.samples import Sample
from realdeg.utils.scales import as_scale, divides, hr_length, lr_length


class _PatchTransform(Transform):
    def __init__(
        self, patch_size: Count, lr_patch_size: Count | Mapping[str, Count] | None = None
    ) -> None:
        self.patch_size, self.lr_patch_size = patch_size, lr_patch_size

    def required_size(self, after: int) -> int:
        """Return the least side before this step."""
        return max(after, self.patch_size)

    def _room(self, results: Sample) -> tuple[int, int, int]:
        """Return the largest top and left, and the patch, in pixels of the coarser image."""
        name = type(self).__name__
        refuse_small(results, self.patch_size, name)
        stride = stride_of(results)
        side = self._side(stride, as_scale(results["scale"]))
        if not divides(side, stride):
            raise ConfigError(
                f"{name}: patch_size={side} HR pixels is not divisible by the scale {stride}."
            )
        lr = results.get("lr")
        if lr is None:
            height, width = results["hr"].shape[:2]
            return height - side, width - side, side
        if not isinstance(stride, int):
            raise ConfigError(
                f"{name}: at scale {stride} a patch of LR need not start on a whole HR pixel, so"
                " pairs are not cropped: use HR images and a degradation."
            )
        height, width = lr.shape[:2]
        patch = side // stride
        return height - patch, width - patch, patch

    def _side(self, stride: float, scale: float) -> int:
        """Return the patch's side in HR pixels."""
        given = self.lr_patch_size
        if given is None:
            return self.patch_size
        name = f"x{scale:g}"
        if isinstance(given, Mapping) and name not in given:
            raise ConfigError(
                f"{type(self).__name__}: lr_patch_size has {', '.join(given)}, and the scale is"
                f" {scale:g}: add {name}, or give one number for all scales."
            )
        side = given[name] if isinstance(given, Mapping) else given
        return hr_length(min(side, lr_length(self.patch_size, stride)), stride)


@TRANSFORMS.register_module()
class PairedCrop(_PatchTransform):
    """Crop a random square patch, the same part of HR and LR.

    Every position is equally likely. A pair is cropped on the LR grid, HR alone on its own.

    Args:
        patch_size: Side in HR pixels, at most that of the image; a multiple of the scale unless
            ``same_size``.
        lr_patch_size: Side in LR pixels, to have the same one at every scale (``model.scales``):
            the patch has the matching number of HR pixels, at most ``patch_size``.
            ``dict(x2=48, x4=36)`` sets it per scale; None uses ``patch_size``.

    Raises:
        ConfigError: If the patch does not fit the scale.
        DataError: If an image is smaller than the patch, naming it; nothing is padded.
        GeometryError: If the sizes of a pair contradict the settings.
    """

    def __call__(self, results: Sample) -> Sample:
        """Return the cropped sample."""
        last_top, last_left, patch = self._room(results)
        rng = results["stream"].rng("crop")
        top = int(rng.integers(last_top + 1))
        left = int(rng.integers(last_left + 1))
        return cut(results, top, left, patch, patch)


@TRANSFORMS.register_module()
class CentreCrop(_PatchTransform):
    """Crop the central square patch.

    Args:
        patch_size: As for :class:`PairedCrop`, and so are the errors.
        lr_patch_size: As for :class:`PairedCrop`.
    """

    def __call__(self, results: Sample) -> Sample:
        """Return the cropped sample."""
        last_top, last_left, patch = self._room(results)
        return cut(results, last_top // 2, last_left // 2, patch, patch)


@TRANSFORMS.register_module()
class ModCrop(Transform):
    """Crop the last rows and columns to a multiple, as benchmarks do.

    Args:
        multiple: What the height and width of HR must be divisible by; None takes the scale. LR is
            cropped to match.

    Raises:
        ConfigError: If ``multiple`` would cut an LR pixel.
        DataError: If nothing would be left of an image.
    """

    crops_remainder = True

    def __init__(self, multiple: Count | None = None) -> None:
        self.multiple = multiple

    def __call__(self, results: Sample) -> Sample:
        """Return the cropped sample."""
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
                f"ModCrop: multiple={multiple} is not divisible by the scale {stride}."
            )
        return cut(results, 0, 0, lr_length(height, stride), lr_length(width, stride))
