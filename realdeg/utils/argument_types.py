"""The words that constructors' annotations are written in; :mod:`.arguments` hands them on.

Limits that stand once are written there: ``Annotated[int, Interval(ge=3, le=63)]``, with the marks
of the package annotated-types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval, MinLen, Predicate


@dataclass(frozen=True)
class Component:
    """Marks an argument that takes a component of a registry, or its config.

    ``Annotated[Degradation | Mapping[str, Any] | str, Component("degradation")]``: whoever reads
    configs then knows which names may stand there.

    Attributes:
        registry: The registry's name: ``"degradation"``, ``"backbone"``, ``"loss"``, ...
    """

    registry: str


@dataclass(frozen=True)
class Geometry:
    """Marks an argument that is a scale, a grid or a size: a wrong one is a GeometryError."""


@dataclass(frozen=True)
class Ascending:
    """Marks lists of numbers in which none is below the one before it."""


class Choice:
    """Marks a text or a number that is a key of a table, where no ``Literal`` can list them.

    Args:
        *names: The keys.
    """

    def __init__(self, *names: str | int) -> None:
        self.names = names


def is_odd(value: int) -> bool:
    """Say whether a number is odd."""
    return value % 2 == 1


Count = Annotated[int, Ge(1)]
"""A whole number, 1 or more."""
Whole = Annotated[int, Ge(0)]
"""A whole number, 0 or more."""
OddSize = Annotated[int, Ge(1), Predicate(is_odd)]
"""The side of a kernel with a middle."""
Positive = Annotated[float, Gt(0)]
"""A number above 0."""
NonNegative = Annotated[float, Ge(0)]
"""A number, 0 or more."""
Fraction = Annotated[float, Interval(ge=0, le=1)]
"""A number from 0 to 1."""
Range = Annotated[tuple[float, float], Ascending()]
"""The least and the greatest of numbers that are drawn."""
WholeRange = Annotated[tuple[int, int], Ascending()]
"""The least and the greatest of whole numbers that are drawn."""
Scale = Annotated[int, Interval(ge=1, le=64), Geometry()]
"""A whole number of HR pixels per LR pixel."""
RealScale = Annotated[float, Interval(ge=1, le=64), Geometry()]
"""HR pixels per LR pixel, whole or not."""
Scales = Annotated[Sequence[float], Interval(ge=1, le=64), MinLen(1)]
"""The scales that a run draws from."""
FixedOrRange = Annotated[float | tuple[float, float], Ascending()]
"""A number, or the least and the greatest of those that are drawn."""
