"""Parts in an order drawn for every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import MaxLen

from realdeg.degradations.base import Scale
from realdeg.degradations.containers import Container, Parts, Step, build_chain
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import stream_seed

# Orders are counted over subsets of parts: 2 ** 16 of them take a few MiB.
_MOST_PARTS = 16


@dataclass(frozen=True)
class OrderParams(TraceParams):
    """The order of the parts.

    Args:
        order: Their indices, the first applied first.
    """

    order: Sequence[int]


@DEGRADATIONS.register_module()
class RandomOrder(Container):
    """Applies all of its parts, in an order drawn for each image.

    All orders that satisfy the constraints are equally likely. BSRGAN (Zhang et al., ICCV 2021)
    shuffles its steps like this; its rule "the second reduction before the third" is
    ``before=[(i, j)]``. Its code swaps two parts after a shuffle, which has the same distribution.

    As in :class:`Compose`, the first part that does not keep the grid gets ``scale`` and
    ``same_size``, the others get scale 1, and a part may state its own.

    Args:
        parts: Configs, paths of self-describing files, or degradations; at most 16.
        scale: Total downscaling factor.
        same_size: Whether LR lies on the HR grid.
        before: Pairs (i, j) of indices: part i is applied before part j.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If there are no parts or too many, if their scales do not multiply to
            ``scale``, if the LR grid would depend on the order, or if no order satisfies the
            constraints.
    """

    def __init__(
        self,
        parts: Annotated[Parts, MaxLen(_MOST_PARTS)],
        scale: Scale = 4,
        same_size: bool = False,
        before: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(build_chain(parts, scale, same_size), scale, same_size)
        members = self.members()
        self.check_strides(members)
        for part in members:
            if self.excess(part) and any(one.stride > 1 for one in members if one is not part):
                raise ConfigError(
                    f"RandomOrder: {type(part).__name__} displaces the LR grid, by an amount that"
                    " depends on whether another part shrinks before it. Put it into a Compose,"
                    " before or after the RandomOrder."
                )
        self._before = _pairs(before, len(members))
        self._needs = [0] * len(members)  # sets of parts as bit masks
        for first, second in self._before:
            self._needs[second] |= 1 << first
        self._ways = _count_orders(self._needs)
        if not self._ways[0]:
            raise ConfigError(f"RandomOrder: no order satisfies before={list(self._before)}.")

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred, the same for every order."""
        return (self.stride - 1) / 2 + sum(self.excess(part) for part in self.members())

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences, for the order with the most."""
        return sum(part.border for part in self.members())

    def decide(self, seed: int) -> tuple[int, ...]:
        """Draw the order, uniformly among those that satisfy the constraints."""
        rng = np.random.default_rng(stream_seed(seed, "order"))
        order: list[int] = []
        done = 0
        for _ in self._needs:
            open_parts = _next_parts(self._needs, done)
            # A part's probability is proportional to the number of orders that continue with it.
            ways = [self._ways[done | 1 << part] for part in open_parts]
            at = int(rng.integers(sum(ways)))
            chosen = open_parts[-1]
            for part, count in zip(open_parts, ways, strict=True):
                if at < count:
                    chosen = part
                    break
                at -= count
            order.append(chosen)
            done |= 1 << chosen
        return tuple(order)

    def steps(self, decision: tuple[int, ...]) -> list[Step]:
        """Return the parts in the drawn order."""
        members = self.members()
        return [(index, members[index]) for index in decision]

    def note(self, decision: tuple[int, ...]) -> dict[str, Any]:
        """Return the indices of the parts, the first applied first."""
        return OrderParams(list(decision)).to_params()

    def read(self, trace: Trace) -> tuple[int, ...]:
        """Return the order, if the constraints allow it."""
        order = list(trace.read(OrderParams).order)
        if sorted(order) != list(range(len(self.parts))):
            raise DataError(
                f"the trace of RandomOrder has order = {str(order)[:80]}, which is not an order of"
                f" {len(self.parts)} parts."
            )
        for first, second in self._before:
            if order.index(first) > order.index(second):
                raise DataError(
                    f"the trace of RandomOrder applies part {second} before part {first}, which"
                    " this object forbids."
                )
        return tuple(order)

    def describe(self) -> str:
        """Return a one-line description of the parts."""
        return "in random order: " + ", ".join(part.describe() for part in self.members())


def _pairs(before: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    for first, second in before:
        if first == second or not (0 <= first < count and 0 <= second < count):
            raise ConfigError(
                f"RandomOrder: before holds pairs of different part indices from 0 to {count - 1},"
                f" got {(first, second)!r}."
            )
    return [(first, second) for first, second in before]


def _next_parts(needs: Sequence[int], done: int) -> list[int]:
    """Return the parts not yet applied whose predecessors all are."""
    return [i for i, need in enumerate(needs) if not done >> i & 1 and need & ~done == 0]


def _count_orders(needs: Sequence[int]) -> list[int]:
    """Return, for every set of applied parts, the number of orders of the others."""
    everything = (1 << len(needs)) - 1
    ways = [0] * (everything + 1)
    ways[everything] = 1
    for done in range(everything - 1, -1, -1):
        ways[done] = sum(ways[done | 1 << part] for part in _next_parts(needs, done))
    return ways
