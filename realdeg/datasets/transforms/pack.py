"""Conversion of arrays to tensors."""

from __future__ import annotations

from realdeg.datasets.transforms.base import Transform
from realdeg.registry import TRANSFORMS
from realdeg.utils.image import as_rgb, to_tensor
from realdeg.utils.samples import PackedSample, Sample


@TRANSFORMS.register_module()
class PackSample(Transform):
    """Turn a sample's arrays into RGB tensors; the last transform.

    8 and 16 bit become float32 in [0, 1], grey is replicated, alpha is dropped.

    Shape:
        H x W x C to (3, H, W).
    """

    keeps_size = True
    packs = True

    def __call__(self, results: Sample) -> PackedSample:
        """Return ``hr``, ``lr`` if present, ``key``, ``meta`` and ``seed``."""
        packed = PackedSample(
            key=results["key"],
            meta=results["meta"],
            seed=results["seed"],
            hr=to_tensor(as_rgb(results["hr"])),
        )
        lr = results.get("lr")
        if lr is not None:
            packed["lr"] = to_tensor(as_rgb(lr))
        return packed
