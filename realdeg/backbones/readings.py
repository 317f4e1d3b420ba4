"""Read a network's arguments from its tensors: the functions that ``form_readings`` uses.

Each returns a function that reads an argument from a state dict. Names are regular expressions
that match a whole name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isqrt, prod
from typing import Any

from torch import Tensor

State = Mapping[str, Tensor]
Reading = Callable[[State], Any]
"""Returns an argument's value, or None if the tensors do not determine it."""

_MOST_STEPS = 8  # of an upsampler; no network has that many


def size(name: str, axis: int = 0, divided_by: int = 1) -> Reading:
    """Read the size of a convolution's weight along an axis, divided by a number."""

    def read(state: State) -> int | None:
        shape = shape_of(state, name)
        return shape[axis] // divided_by if shape else None

    return read


def count(name: str, plus: int = 0) -> Reading:
    """Count the different values of the pattern's first group among names, and add ``plus``."""

    def read(state: State) -> int | None:
        found = {match[1] for match in (re.fullmatch(name, each) for each in state) if match}
        return len(found) + plus if found else None

    return read


def last(name: str, plus: int = 0) -> Reading:
    """Read the largest number that the pattern's first group matches, and add ``plus``."""

    def read(state: State) -> int | None:
        found = [int(m[1]) for m in (re.fullmatch(name, each) for each in state) if m]
        # Layers without tensors are counted, too, but a file may claim any number.
        found = [number for number in found if number <= 10 * len(state)]
        return max(found) + plus if found else None

    return read


def has(name: str, given: str) -> Reading:
    """Read whether a tensor exists; ``given`` is one that every such network has."""
    return lambda state: bool(find(state, name)) if find(state, given) else None


def colour_of(name: str, axis: int, times: int = 1) -> Reading:
    """Read the colour from the first or last convolution.

    Args:
        name: Its weight.
        axis: The axis of the image's channels.
        times: The factor by which that axis is longer.
    """

    def read(state: State) -> str | None:
        shape = shape_of(state, name)
        return {times: "y", 3 * times: "rgb"}.get(shape[axis]) if shape else None

    return read


def doublings(name: str) -> Reading:
    """Read a scale from the number of layers, told apart by the first group, that double it."""
    steps = count(name)
    return lambda state: 2**n if (n := steps(state)) and n <= _MOST_STEPS else None


def ratio(name: str, axis: int, other: int) -> Reading:
    """Read how many times larger a convolution's weight is along one axis than along another."""

    def read(state: State) -> int | None:
        shape = shape_of(state, name)
        return shape[axis] // max(shape[other], 1) if shape else None

    return read


def elements(name: str, each: int) -> Reading:
    """Read the number of elements divided by ``each``, which the order of axes does not change."""
    return lambda state: state[name].numel() // each if name in state else None


def shuffled(name: str, width: Reading | int) -> Reading:
    """Read the total factor of all pixel shuffles, 1 if there are none.

    Args:
        name: The weights of the convolutions before them.
        width: The channels after each shuffle, or how to read them.
    """

    def read(state: State) -> int | None:
        channels = width if isinstance(width, int) else width(state)
        if not channels:
            return None
        shapes = (shape_of(state, each) for each in state if re.fullmatch(name, each))
        steps = [
            factor for shape in shapes if shape and (factor := isqrt(shape[0] // channels)) > 1
        ]
        return prod(steps) if len(steps) <= _MOST_STEPS else None

    return read


def shape_of(state: State, name: str, ndim: int = 4) -> tuple[int, ...]:
    """Return a tensor's shape, or () if there is none with ``ndim`` dimensions."""
    found = find(state, name)
    shape = tuple(state[found].shape) if found else ()
    return shape if len(shape) == ndim else ()


def find(state: State, name: str) -> str | None:
    """Return the first name that a pattern matches, or None; a literal pattern is faster."""
    plain = name.replace("\\", "")
    if plain in state:
        return plain
    return next((each for each in state if re.fullmatch(name, each)), None)


def presets(table: Mapping[str, Any], *same: str, **places: Any) -> dict[str, dict[str, Any]]:
    """Return the arguments that each preset stands for.

    Args:
        table: The presets: tuples, objects, or numbers.
        *same: Arguments that are attributes with the same name.
        **places: Other arguments: the index or attribute, or None if the preset is the value.
    """
    places |= {argument: argument for argument in same}

    def value(preset: Any, place: Any) -> Any:
        if place is None:
            return preset
        return preset[place] if isinstance(place, int) else getattr(preset, place)

    return {
        name: {argument: value(preset, place) for argument, place in places.items()}
        for name, preset in table.items()
    }
