"""Numbers that change over a run, as a function of the iteration alone."""

from __future__ import annotations

import math
import typing
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import MinLen

from realdeg.errors import ConfigError
from realdeg.utils.argument_types import Whole

Number: TypeAlias = float | Sequence[float]
"""A number, or a list of numbers such as the two ends of a range."""
Points: TypeAlias = Annotated[Sequence[tuple[Whole, Number]], MinLen(1)]
"""Pairs of an iteration and the value there, in the order of the iterations."""
Shape: TypeAlias = Literal["linear", "cosine", "step"]
"""What lies between two points."""

# A whole number that moves through more values than this is checked at its points only.
_MOST_VALUES = 10_000


class Schedule:
    """A number, or a list of numbers, at every iteration of a run.

    Before the first point it has the first value, after the last point the last one.

    Args:
        points: Pairs of an iteration, counted from 0, and the value there.
        shape: What lies between two points: ``"linear"``; ``"cosine"``, half a period, flat at
            both points; or ``"step"``, the value of the earlier one.

    Raises:
        ConfigError: If iterations do not ascend, or the values are not all numbers or all lists of
            one length.
    """

    def __init__(self, points: Points, shape: Shape = "linear") -> None:
        self.points: list[tuple[int, Any]] = [
            (int(iteration), value) for iteration, value in points
        ]
        self.shape = shape
        iterations = [iteration for iteration, _ in self.points]
        listed = ", ".join(map(str, iterations))
        if any(
            later <= earlier for earlier, later in zip(iterations, iterations[1:], strict=False)
        ):
            raise ConfigError(f"the iterations of a schedule's points ascend, got {listed}.")
        lengths = {len(value) if _is_list(value) else -1 for _, value in self.points}
        if len(lengths) > 1:
            raise ConfigError(
                "the values of a schedule are all numbers, or all lists of the same length, got"
                f" {', '.join(str(value) for _, value in self.points)}."
            )

    def at(self, iteration: int) -> Any:
        """Return the value in an iteration, which is counted from 0.

        Args:
            iteration: The number of iterations that were completed before it.

        Returns:
            A number, or a list of numbers.
        """
        after = bisect_right(self.points, iteration, key=lambda point: point[0])
        before, value = self.points[max(after - 1, 0)]
        if after in (0, len(self.points)) or self.shape == "step" or before == iteration:
            return list(value) if _is_list(value) else value
        end, other = self.points[after]
        share = (iteration - before) / (end - before)
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        if _is_list(value):
            return [_between(a, b, share) for a, b in zip(value, other, strict=True)]
        return _between(value, other, share)

    def turns(self, whole: bool) -> Iterator[tuple[int, int]]:
        """Yield iterations between whose values all others lie, each after the index of its point.

        Args:
            whole: Whether values are rounded to whole numbers, of which one may fit and the next
                may not; then every iteration with another value is yielded.
        """
        for index, (begin, _) in enumerate(self.points):
            yield index, begin
            if not whole or self.shape == "step" or index + 1 == len(self.points):
                continue
            end = self.points[index + 1][0]
            if end - begin <= _MOST_VALUES:
                seen: list[Any] = []
                for iteration in range(begin + 1, end):
                    found = rounded(self.at(iteration))
                    if found not in seen[-1:]:
                        seen.append(found)
                        yield index, iteration


def replaced(value: Any, numbers: Mapping[str, Any], place: str = "") -> Any:
    """Return a value with other numbers inside; the given one stays unchanged.

    Args:
        value: A list, a dict, or an object with a method ``changed(numbers)``, which takes over.
        numbers: The new numbers by their path inside: ``"1.sigma"``; an empty path stands for the
            value itself.
        place: The path of the value, for messages.

    Raises:
        ConfigError: If a path leads nowhere.
    """
    if "" in numbers:
        return numbers[""]
    change = getattr(value, "changed", None)
    if callable(change):
        return change(numbers)
    grouped: dict[str, dict[str, Any]] = {}
    for path, number in numbers.items():
        first, _, rest = path.partition(".")
        grouped.setdefault(first, {})[rest] = number
    items: dict[Any, Any]
    if isinstance(value, Mapping):
        items = dict(value)
    elif _is_list(value):
        items = {str(index): item for index, item in enumerate(value)}
    else:
        items = {}
    for key, inner in grouped.items():
        if key not in items:
            known = ", ".join(map(str, items)) or "nothing"
            where = f"'{place}' has no '{key}'" if place else f"there is no '{key}'"
            raise ConfigError(f"{where}: it has {known}.")
        items[key] = replaced(items[key], inner, f"{place}.{key}" if place else key)
    return items if isinstance(value, Mapping) else list(items.values())


def rounded(value: Any) -> Any:
    """Return a number, or each of a list, rounded to the nearest whole one; halves go up."""
    if _is_list(value):
        return [rounded(item) for item in value]
    return math.floor(value + 0.5)


def takes_numbers(annotation: Any) -> bool:
    """Return whether an annotation takes numbers, alone or in a list or a dict."""
    return bool({int, float, Real} & set(_types(annotation)))


def takes_whole_only(annotation: Any) -> bool:
    """Return whether the numbers that an annotation takes are whole ones."""
    found = set(_types(annotation))
    return int in found and not found & {float, Real, Any, object}


def _types(annotation: Any) -> Iterator[Any]:
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is Annotated:
        yield from _types(inner[0])
    elif typing.get_origin(annotation) is not Literal:
        yield from () if inner else (annotation,)
        for one in inner:
            yield from _types(one)


def _between(value: float, other: float, share: float) -> float:
    return value + (other - value) * share


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
