"""A part applied several times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from realdeg.degradations.base import DegradationLike, Scale
from realdeg.degradations.bicubic import Bicubic
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.containers import (
    Container,
    Step,
    build_part,
    chained_offset,
    is_file,
    leaves_grid,
    spelled_out,
    states_scale,
)
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending
from realdeg.utils.streams import stream_seed

_MOST_TIMES = 64
Times = Annotated[
    tuple[
        Annotated[int, Interval(ge=0, le=_MOST_TIMES)],
        Annotated[int, Interval(ge=1, le=_MOST_TIMES)],
    ],
    Ascending(),
]
"""The smallest and the largest number of times."""


@dataclass(frozen=True)
class TimesParams(TraceParams):
    """How often the part is applied.

    Args:
        times: The number of times.
    """

    times: int


@DEGRADATIONS.register_module()
class Repeat(Container):
    """Applies its part several times, with new decisions each time.

    The number of times is drawn for each image. The first time reduces resolution; later times work
    on the LR grid at scale 1. Zero times means bicubic reduction. A part that states its own scale
    is applied with it every time, so ``scale`` must be a power of it and the number of times fixed.
    A learned part that does not state a scale has separate weights for the first and later times.

    Args:
        part: A config, the path of a self-describing file, or a degradation.
        times: (smallest, largest) number of times, drawn uniformly; from 0 to 64.
        scale: Total downscaling factor.
        same_size: Whether LR lies on the HR grid.
        again: What is applied from the second time on, at scale 1. ``None``: the part.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If ``times`` is out of range, or the size or grid of LR would depend on the
            drawn number.
    """

    def __init__(
        self,
        part: DegradationLike,
        times: Times = (1, 2),
        scale: Scale = 4,
        same_size: bool = False,
        again: DegradationLike | None = None,
    ) -> None:
        lowest, highest = times
        # A file states its scale, as a degradation and a config with a scale do.
        stated = states_scale(part) or is_file(part)
        members = [degradation_from_config(part) if stated else build_part(part, scale, same_size)]
        if highest > 1 and (again is not None or (not stated and scale > 1)):
            members.append(build_part(part if again is None else again, 1, False))
        self._later = len(members) - 1
        if lowest == 0:
            members.append(Bicubic(scale, same_size))
        super().__init__(members, scale, same_size)
        self.times = (lowest, highest)
        for count in range(lowest, highest + 1):
            self.check_strides([one for _, one in self.steps(count)])
        if len({self._offset(count) for count in range(lowest, highest + 1)}) > 1:
            raise ConfigError(
                f"Repeat: {type(members[0]).__name__} displaces the LR grid each time, so that the"
                " result's grid would depend on the number of times: fix it, times=(n, n)."
            )

    @classmethod
    def leaves_grid(cls, cfg: Mapping[str, Any]) -> bool:
        """Return whether the part keeps the grid."""
        return leaves_grid(cfg.get("part"))

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, the part as a config."""
        own = {key: value for key, value in super().arguments.items() if key != "parts"}
        first, later = self.members()[0], self.members()[self._later]
        again = None if later is first else spelled_out(later)
        return {**own, "part": spelled_out(first), "again": again, "times": list(self.times)}

    def _offset(self, count: int) -> float:
        return chained_offset(part for _, part in self.steps(count))

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred, the same for any number of times."""
        return self._offset(self.times[0])

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences after the most times."""
        return sum(part.border for _, part in self.steps(self.times[1]))

    def decide(self, seed: int) -> int:
        """Draw the number of times."""
        rng = np.random.default_rng(stream_seed(seed, "times"))
        return int(rng.integers(self.times[0], self.times[1] + 1))

    def steps(self, decision: int) -> list[Step]:
        """Return the part, repeated by the drawn number."""
        members = self.members()
        if decision == 0:
            return [(0, members[-1])]
        later = members[self._later]
        return [(0, members[0]), *((number, later) for number in range(1, decision))]

    def note(self, decision: int) -> dict[str, Any]:
        """Return the number of times."""
        return TimesParams(decision).to_params()

    def read(self, trace: Trace) -> int:
        """Return the number of times, if this object can have drawn it."""
        times = trace.read(TimesParams).times
        if not self.times[0] <= times <= self.times[1]:
            raise DataError(
                f"the trace of Repeat says times = {times}, this object repeats"
                f" {self.times[0]} to {self.times[1]} times."
            )
        return times

    def describe(self) -> str:
        """Return a one-line description."""
        lowest, highest = self.times
        count = f"{lowest}" if lowest == highest else f"{lowest} to {highest}"
        return f"{count} times: {self.members()[0].describe()}"
