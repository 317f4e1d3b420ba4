"""Some parts out of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from realdeg.degradations import Trace
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.containers import Container, Step, build_part, spelled_out
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import stream_seed


@DEGRADATIONS.register_module()
class SomeOf(Container):
    """Applies some of its parts, drawn for each image, in their order, and reduces.

    No photo has every defect at once: with five parts and ``most=2`` a network sees each alone and
    each pair.

    Args:
        parts: Configs, paths of self-describing files, or degradations that leave the grid alone.
        scale: How much resolution is lost.
        same_size: Whether LR lies on the HR grid.
        least: The smallest number of parts that are applied to an image.
        most: The largest; all numbers from least to most are equally likely.
        reduce: What loses the resolution, after the parts.

    Shape:
        (B, C, H, W) to (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If there are no parts, or not as many as ``most``.
    """

    def __init__(
        self,
        parts: Sequence[DegradationLike],
        scale: int = 4,
        same_size: bool = False,
        least: int = 0,
        most: int = 1,
        reduce: DegradationLike = "Bicubic",
    ) -> None:
        if not 0 <= least <= most <= len(parts) or not parts:
            raise ConfigError(
                f"SomeOf has {len(parts)} parts: least={least} and most={most} are from 0 to that"
                " number, and there is at least one part."
            )
        built = [build_part(part, 1, False) for part in parts]
        super().__init__([*built, build_part(reduce, scale, same_size)], scale, same_size)
        self.least, self.most = least, most
        self.check_strides(self.members())

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts spelled out."""
        *parts, reduce = (spelled_out(part) for part in self.members())
        return {**super().arguments, "parts": parts, "reduce": reduce}

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred: that of the reduction."""
        return self.members()[-1].offset

    def decide(self, seed: int) -> tuple[int, ...]:
        """Draw the numbers of the parts, in order."""
        rng = np.random.default_rng(stream_seed(seed, "some"))
        count = int(rng.integers(self.least, self.most + 1))
        drawn = rng.choice(len(self.parts) - 1, count, replace=False)
        return tuple(sorted(int(number) for number in drawn))

    def steps(self, decision: tuple[int, ...]) -> list[Step]:
        """Return the parts that were drawn, and the reduction."""
        members = self.members()
        return [(number, members[number]) for number in (*decision, len(members) - 1)]

    def note(self, decision: tuple[int, ...]) -> dict[str, Any]:
        """Return the numbers of the parts, counted from 0."""
        return {"chosen": list(decision)}

    def read(self, trace: Trace) -> tuple[int, ...]:
        """Return the numbers of the parts, if this container could have drawn them."""
        chosen = trace.get("chosen", list)
        whole = all(type(number) is int for number in chosen)
        if (
            not whole
            or chosen != sorted(set(chosen))
            or not self.least <= len(chosen) <= self.most
            or not all(0 <= number < len(self.parts) - 1 for number in chosen)
        ):
            raise DataError(
                f"'chosen' in the trace of SomeOf is {chosen!r:.60}: wanted {self.least} to"
                f" {self.most} different part numbers below {len(self.parts) - 1}, in order."
            )
        return tuple(chosen)
