"""How much memory a network takes for a tile, found by running it on two small ones.

Every tensor that a call makes is followed from its making to its end, so the number is the
network's own, whatever the allocator keeps or the machine has.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from realdeg.apis.tiling import SMALLEST_TILE, Span, Tiling

SIDES = (32, 64)
"""Sides of the tiles that are tried, in pixels of the network's input."""

# Libraries lay images out anew for their convolutions: input and output exist twice then.
_WITH_COPIES = ("convolution", "conv2d", "linear", "mm", "bmm", "addmm")
# What is measured is what tensors hold; allocators round up and keep some of it.
_MARGIN = 1.15
# Sides are tried from the wanted one downwards, so many pixels apart.
_STEP = 16


@dataclass(frozen=True)
class Footprint:
    """Bytes that one call of a network takes, by the number of its input pixels.

    Args:
        fixed: Bytes whatever the size.
        per_pixel: Bytes per input pixel.
        per_pair: Bytes per pair of input pixels, for attention over the whole input.
    """

    fixed: float
    per_pixel: float
    per_pair: float = 0.0

    def bytes(self, pixels: int) -> int:
        """Return what an input of so many pixels takes."""
        return int(self.fixed + self.per_pixel * pixels + self.per_pair * pixels**2)


def largest_tile(
    footprint: Footprint, tiling: Tiling, size: Span, wanted: int | None, most: float
) -> int | None:
    """Choose the largest tile that a number of bytes holds.

    Args:
        footprint: What the network takes.
        tiling: The rim of the tiles, and where they may begin.
        size: Height and width of the network's input.
        wanted: The side that would be taken if memory were no matter; None: the whole image.
        most: The bytes.

    Returns:
        The side, at most ``wanted`` and at least 32 pixels, or None where the whole is wanted and
        fits.
    """
    if wanted is None and footprint.bytes(size[0] * size[1]) <= most:
        return None
    side = max(size) if wanted is None else wanted
    while side > SMALLEST_TILE:
        seen = [min(length, side + 2 * tiling.rim) for length in size]
        if footprint.bytes(seen[0] * seen[1]) <= most:
            break
        side -= _STEP
    return max(side, SMALLEST_TILE)


def measure_footprint(
    network: Callable[[Tensor], Tensor], channels: int, device: torch.device, multiple: int = 1
) -> Footprint:
    """Run a network on two small inputs and see what it takes.

    Args:
        network: Takes (1, C, h, w).
        channels: C.
        device: Where it runs.
        multiple: Sides are multiples of this.

    Returns:
        Its footprint.
    """
    sides = [-(-side // multiple) * multiple for side in SIDES]
    small, large = (_peak(network, channels, device, side) * _MARGIN for side in sides)
    few, many = (side**2 for side in sides)
    # A line through both; where growth is more than in proportion, a parabola through the origin.
    pairs = (large / many - small / few) / (many - few)
    if pairs > 0:
        return Footprint(0.0, max(0.0, small / few - pairs * few), pairs)
    slope = max(0.0, (large - small) / (many - few))
    return Footprint(max(0.0, large - slope * many), slope)


def _peak(
    network: Callable[[Tensor], Tensor], channels: int, device: torch.device, side: int
) -> float:
    image = torch.full((1, channels, side, side), 0.5, device=device)
    with torch.no_grad(), _Living() as living:
        network(image)
    return float(living.peak)


class _Living(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside and still there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._storages: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in tree_leaves(result):
            if isinstance(item, Tensor):
                self._follow(item.untyped_storage())
        copies = 0
        if func.overloadpacket.__name__ in _WITH_COPIES:
            leaves = [*tree_leaves(result), *tree_leaves(args)[:1]]
            copies = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        self.peak = max(self.peak, self.now + copies)
        return result

    def _follow(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._storages:
            return
        size = storage.nbytes()
        self.now += size

        def gone(_: Any, key: int = key, size: int = size) -> None:
            if self._storages.pop(key, None) is not None:
                self.now -= size

        self._storages[key] = weakref.ref(storage, gone)
