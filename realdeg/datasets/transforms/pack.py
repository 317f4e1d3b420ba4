"""Arrays to tensors."""

from __future__ import annotations

from typing import Any

from realdeg.datasets.transforms.base import Transform
from realdeg.registry import TRANSFORMS
from realdeg.utils.image import as_rgb, to_tensor


@TRANSFORMS.register_module()
class PackSample(Transform):
    """Turn a sample's arrays into RGB tensors; the last transform.

    8 and 16 bit become float32 in [0, 1], grey is replicated, alpha is dropped.

    Shape:
        H x W x C to (3, H, W).
    """

    keeps_size = True
    packs = True

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``hr``, ``lr`` where there is one, ``key``, ``meta`` and ``seed``."""
        packed = {name: results[name] for name in ("key", "meta", "seed")}
        for name in ("hr", "lr"):
            if results.get(name) is not None:
                packed[name] = to_tensor(as_rgb(results[name]))
        return packed
