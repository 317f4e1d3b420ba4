"""Estimate the memory that a network needs for a tile by running it on two small ones.

Every tensor of a call is tracked from its creation to its release, so the result depends neither on
the allocator nor on the machine.
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
"""Sizes of the trial tiles, in pixels of the network's input."""

# Libraries copy images to another layout for convolutions: input and output then exist twice.
_WITH_COPIES = ("convolution", "conv2d", "linear", "mm", "bmm", "addmm")
# Tensor sizes are measured; allocators round up and keep freed memory.
_MARGIN = 1.15
# Tile sizes are tried downwards in steps of this many pixels.
_STEP = 16


@dataclass(frozen=True)
class Footprint:
    """Memory of one call of a network as a function of its input pixels.

    Args:
        fixed: Bytes for any size.
        per_pixel: Bytes per input pixel.
        per_pair: Bytes per pair of input pixels, for attention over the whole input.
    """

    fixed: float
    per_pixel: float
    per_pair: float = 0.0

    def bytes(self, pixels: int) -> int:
        """Return the bytes for an input of ``pixels`` pixels."""
        return int(self.fixed + self.per_pixel * pixels + self.per_pair * pixels**2)


def largest_tile(
    footprint: Footprint, tiling: Tiling, size: Span, wanted: int | None, most: float
) -> int | None:
    """Choose the largest tile that fits into memory.

    Args:
        footprint: The network's footprint.
        tiling: Gives the border of the tiles.
        size: Height and width of the network's input.
        wanted: The tile size to use if memory allows; None: the whole image.
        most: The available bytes.

    Returns:
        The tile size, at most ``wanted`` and at least 32 pixels, or None if the whole image is
        wanted and fits.
    """
    if wanted is None and footprint.bytes(size[0] * size[1]) <= most:
        return None
    side = max(size) if wanted is None else wanted
    while side > SMALLEST_TILE:
        seen = [min(length, side + 2 * tiling.border) for length in size]
        if footprint.bytes(seen[0] * seen[1]) <= most:
            break
        side -= _STEP
    return max(side, SMALLEST_TILE)


def measure_footprint(
    network: Callable[[Tensor], Tensor], channels: int, device: torch.device, multiple: int = 1
) -> Footprint:
    """Measure the footprint of a network on two small inputs.

    Args:
        network: Takes (1, C, h, w).
        channels: C.
        device: Where it runs.
        multiple: Input sizes are multiples of this.
    """
    sides = [-(-side // multiple) * multiple for side in SIDES]
    small, large = (_peak(network, channels, device, side) * _MARGIN for side in sides)
    few, many = (side**2 for side in sides)
    # A line through both; if growth is faster than linear, a parabola through the origin.
    pairs = (large / many - small / few) / (many - few)
    if pairs > 0:
        return Footprint(0.0, max(0.0, small / few - pairs * few), pairs)
    slope = max(0.0, (large - small) / (many - few))
    return Footprint(max(0.0, large - slope * many), slope)


def _peak(
    network: Callable[[Tensor], Tensor], channels: int, device: torch.device, side: int
) -> float:
    image = torch.full((1, channels, side, side), 0.5, device=device)
    with torch.no_grad(), _AllocationTracker() as tracker:
        network(image)
    return float(tracker.peak)


class _AllocationTracker(TorchDispatchMode):
    """Counts the bytes of live tensors that were created inside the context."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._storages: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in tree_leaves(result):
            if isinstance(item, Tensor):
                self._track(item.untyped_storage())
        copies = 0
        if func.overloadpacket.__name__ in _WITH_COPIES:
            leaves = [*tree_leaves(result), *tree_leaves(args)[:1]]
            copies = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        self.peak = max(self.peak, self.now + copies)
        return result

    def _track(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._storages:
            return
        size = storage.nbytes()
        self.now += size

        def release(_: Any, key: int = key, size: int = size) -> None:
            if self._storages.pop(key, None) is not None:
                self.now -= size

        self._storages[key] = weakref.ref(storage, release)
