"""The names that constructors' annotations are written in, for plug-ins as well.

    def __init__(self, width: Count = 64, dropout: Fraction = 0.0,
                 mode: Literal["fast", "exact"] = "fast") -> None:

A limit that is used once is written in place with the marks of the package annotated-types:
``Annotated[int, Interval(ge=3, le=63)]``. :mod:`.arguments` checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval, MinLen, Predicate


@dataclass(frozen=True)
class Component:
    """Marks an argument that takes a component of a registry, or its config.

    ``Annotated[Degradation | Mapping[str, Any] | str, Component("degradation")]`` tells the code
    that reads configs which names are allowed there.

    Attributes:
        registry: The registry's name: ``"degradation"``, ``"backbone"``, ``"loss"``, ...
        kind: What the place does with it. A component whose class has another ``kind`` is refused
            when the config is read; one without a ``kind`` is accepted.
        keys: Keys beside ``type`` and the component's arguments, which the holder removes before
            it builds the component: the ``name`` of a loss term.
        optional: Whether the place takes other data too: a dict without ``type`` is not one.
    """

    registry: str
    kind: str | None = None
    keys: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Geometry:
    """Marks a scale, a grid or a size: a wrong one raises GeometryError."""


@dataclass(frozen=True)
class Ascending:
    """Marks lists of numbers in ascending order; equal neighbours are allowed."""


class Choice:
    """Marks a string or a number that is a key of a table, where a ``Literal`` cannot list them.

    Args:
        *names: The keys.
    """

    def __init__(self, *names: str | int) -> None:
        self.names = names


def is_odd(value: int) -> bool:
    """Return whether a number is odd."""
    return value % 2 == 1


Count = Annotated[int, Ge(1)]
"""A whole number, 1 or more."""
Whole = Annotated[int, Ge(0)]
"""A whole number, 0 or more."""
OddSize = Annotated[int, Ge(1), Predicate(is_odd)]
"""The side of a kernel with a central tap."""
Positive = Annotated[float, Gt(0)]
"""A number above 0."""
NonNegative = Annotated[float, Ge(0)]
"""A number, 0 or more."""
Fraction = Annotated[float, Interval(ge=0, le=1)]
"""A number from 0 to 1."""
Range = Annotated[tuple[float, float], Ascending()]
"""The smallest and largest number that may be drawn."""
WholeRange = Annotated[tuple[int, int], Ascending()]
"""The smallest and largest whole number that may be drawn."""
Scale = Annotated[int, Interval(ge=1, le=64), Geometry()]
"""HR pixels per LR pixel, a whole number."""
RealScale = Annotated[float, Interval(ge=1, le=64), Geometry()]
"""HR pixels per LR pixel, whole or not."""
Scales = Annotated[Sequence[float], Interval(ge=1, le=64), MinLen(1)]
"""The scales that a run draws from."""
FixedOrRange = Annotated[float | tuple[float, float], Ascending()]
"""A number, or the smallest and largest that may be drawn."""
