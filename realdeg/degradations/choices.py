"""One of several parts, or a part with some probability, drawn for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from realdeg.degradations.base import Degradation, DegradationLike, Scale
from realdeg.degradations.bicubic import Bicubic
from realdeg.degradations.containers import (
    Container,
    Parts,
    Step,
    build_part,
    leaves_grid,
    spelled_out,
)
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, NonNegative
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class ChoiceParams(TraceParams):
    """The part that is applied.

    Args:
        choice: Its index, from 0.
    """

    choice: Annotated[int, Ge(0)]


@dataclass(frozen=True)
class AppliedParams(TraceParams):
    """Whether the part is applied.

    Args:
        applied: True for the part, False for its alternative.
    """

    applied: bool


class _Alternatives(Container):
    """A container that applies one of its parts: they share a geometry and an LR grid."""

    def __init__(self, parts: Sequence[Degradation], scale: int, same_size: bool) -> None:
        super().__init__(parts, scale, same_size)
        name, first = type(self).__name__, parts[0]
        for part in parts:
            if part.stride != self.stride:
                raise ConfigError(
                    f"{name}: {type(part).__name__} shrinks {part.stride} times, wanted"
                    f" {self.stride}, as for every alternative."
                )
            # LR images would be shifted relative to each other.
            if part.offset != first.offset:
                raise ConfigError(
                    f"{name}: LR pixel 0 of {type(first).__name__} is centred at HR pixel"
                    f" {first.offset:g}, that of {type(part).__name__} at {part.offset:g}: the"
                    " alternatives must lie on one grid."
                )

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred: that of every alternative."""
        return self.members()[0].offset

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding of any alternative influences."""
        return max(part.border for part in self.members())


@DEGRADATIONS.register_module()
class OneOf(_Alternatives):
    """Applies one of its parts, drawn for each image.

    Args:
        parts: Configs, paths of self-describing files, or degradations. Each applies the
            whole downscaling itself.
        probabilities: Relative probability of each part. ``None``: all equal.
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If there are no parts, their geometries or grids differ, or the number of
            probabilities is wrong.
    """

    def __init__(
        self,
        parts: Parts,
        probabilities: Sequence[NonNegative] | None = None,
        scale: Scale = 4,
        same_size: bool = False,
    ) -> None:
        built = [build_part(part, scale, same_size) for part in parts]
        super().__init__(built, scale, same_size)
        weights = [1.0] * len(built) if probabilities is None else list(probabilities)
        if len(weights) != len(built) or not sum(weights) > 0:
            raise ConfigError(
                f"OneOf: probabilities are {len(built)} numbers of 0 or more, not all 0, got"
                f" {probabilities!r}."
            )
        self._edges = np.cumsum(weights) / sum(weights)
        # Rounding must neither leave a gap at the upper end nor reach a part of probability 0.
        self._edges[np.flatnonzero(weights)[-1] :] = 1.0

    def decide(self, seed: int) -> int:
        """Draw the index of the part."""
        draw = np.random.default_rng(stream_seed(seed, "choice")).random()
        return int(np.searchsorted(self._edges, draw, side="right"))

    def steps(self, decision: int) -> list[Step]:
        """Return the drawn part."""
        return [(decision, self.members()[decision])]

    def note(self, decision: int) -> dict[str, Any]:
        """Return the index of the part."""
        return ChoiceParams(decision).to_params()

    def read(self, trace: Trace) -> int:
        """Return the index of the part, if it exists."""
        choice = trace.read(ChoiceParams).choice
        if choice >= len(self.parts):
            raise DataError(
                f"the trace of OneOf says choice = {choice}, this object has parts 0 to"
                f" {len(self.parts) - 1}."
            )
        return choice

    def describe(self) -> str:
        """Return a one-line description of the parts."""
        return "one of: " + ", ".join(part.describe() for part in self.members())


@DEGRADATIONS.register_module()
class Maybe(_Alternatives):
    """Applies its part with some probability.

    The other images get ``otherwise``, so that all LR images have the same size.

    Args:
        part: A config, the path of a self-describing file, or a degradation.
        probability: Probability of the part, from 0 to 1.
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        otherwise: The alternative. ``None``: bicubic reduction, or the identity where ``scale`` is
            1.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If the probability is out of range, or the geometry or the LR grid of the
            part is not that of ``otherwise``.
    """

    def __init__(
        self,
        part: DegradationLike,
        probability: Fraction = 0.5,
        scale: Scale = 4,
        same_size: bool = False,
        otherwise: DegradationLike | None = None,
    ) -> None:
        rest = {"type": Bicubic.__name__} if otherwise is None else otherwise
        super().__init__(
            [build_part(one, scale, same_size) for one in (part, rest)], scale, same_size
        )
        self.probability = float(probability)

    @classmethod
    def leaves_grid(cls, cfg: Mapping[str, Any]) -> bool:
        """Return whether both the part and its alternative keep the grid."""
        rest = cfg.get("otherwise")
        return leaves_grid(cfg.get("part")) and (rest is None or leaves_grid(rest))

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts as configs."""
        part, rest = (spelled_out(one) for one in self.members())
        own = {key: value for key, value in super().arguments.items() if key != "parts"}
        return {**own, "part": part, "otherwise": None if own["otherwise"] is None else rest}

    def decide(self, seed: int) -> bool:
        """Draw whether the part is applied."""
        draw = np.random.default_rng(stream_seed(seed, "maybe")).random()
        return bool(draw < self.probability)

    def steps(self, decision: bool) -> list[Step]:
        """Return the part or its alternative."""
        number = 0 if decision else 1
        return [(number, self.members()[number])]

    def note(self, decision: bool) -> dict[str, Any]:
        """Return whether the part is applied."""
        return AppliedParams(decision).to_params()

    def read(self, trace: Trace) -> bool:
        """Return whether the part is applied."""
        return trace.read(AppliedParams).applied

    def describe(self) -> str:
        """Return a one-line description."""
        part, rest = (one.describe() for one in self.members())
        return f"{100 * self.probability:g} %: {part}; otherwise: {rest}"
