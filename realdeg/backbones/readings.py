"""What tensors tell of the network that they were made by: the words of ``form_readings``.

Each function returns one that reads an argument from a state dict. Names are regular expressions
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
"""Returns an argument's value as the tensors tell it, or None where they do not."""

_MOST_STEPS = 8  # of an upsampler; no network has as many


def size(name: str, axis: int = 0, divided_by: int = 1) -> Reading:
    """Read a side of a convolution's weight.

    Args:
        name: The weight.
        axis: Which side.
        divided_by: What the argument is multiplied by to give it.
    """

    def read(state: State) -> int | None:
        shape = shape_of(state, name)
        return shape[axis] // divided_by if shape else None

    return read


def count(name: str, plus: int = 0) -> Reading:
    """Count the different values of the first group among names.

    Args:
        name: The pattern, with a group.
        plus: What is added.
    """

    def read(state: State) -> int | None:
        found = {match[1] for match in (re.fullmatch(name, each) for each in state) if match}
        return len(found) + plus if found else None

    return read


def last(name: str, plus: int = 0) -> Reading:
    """Read the largest number that the first group among names has.

    Args:
        name: The pattern, with a group for the number.
        plus: What is added.
    """

    def read(state: State) -> int | None:
        found = [int(m[1]) for m in (re.fullmatch(name, each) for each in state) if m]
        # Layers are counted with those that have no tensors, but not as many as a file may claim.
        found = [number for number in found if number <= 10 * len(state)]
        return max(found) + plus if found else None

    return read


def has(name: str, given: str) -> Reading:
    """Read a yes or no from whether there is a tensor.

    Args:
        name: Its name.
        given: The name of a tensor that every such network has.
    """
    return lambda state: bool(find(state, name)) if find(state, given) else None


def colour_of(name: str, axis: int, times: int = 1) -> Reading:
    """Read the colour from a convolution at one end of the network.

    Args:
        name: Its weight.
        axis: The side that counts channels.
        times: What channels are multiplied by there.
    """

    def read(state: State) -> str | None:
        shape = shape_of(state, name)
        return {times: "y", 3 * times: "rgb"}.get(shape[axis]) if shape else None

    return read


def doublings(name: str) -> Reading:
    """Read a scale from how many layers double the image.

    Args:
        name: The pattern of their names, with a group for the number.
    """
    steps = count(name)
    return lambda state: 2**n if (n := steps(state)) and n <= _MOST_STEPS else None


def ratio(name: str, axis: int, other: int) -> Reading:
    """Read how many times longer one side of a convolution's weight is than another.

    Args:
        name: The weight.
        axis: The longer side.
        other: The shorter side.
    """

    def read(state: State) -> int | None:
        shape = shape_of(state, name)
        return shape[axis] // max(shape[other], 1) if shape else None

    return read


def elements(name: str, each: int) -> Reading:
    """Read channels from a number of elements, whatever the order of a tensor's axes.

    Args:
        name: The tensor.
        each: Elements for one channel.
    """
    return lambda state: state[name].numel() // each if name in state else None


def shuffled(name: str, width: Reading | int) -> Reading:
    """Read by how much pixel shuffles enlarge in all: 1 where there is none.

    Args:
        name: The weights of the convolutions before them.
        width: The channels behind every shuffle, or how they are read.
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
    """Return the shape of a tensor, or nothing where there is none of so many dimensions.

    Args:
        state: The tensors.
        name: The tensor's name.
        ndim: The dimensions; 4 for convolutions.
    """
    found = find(state, name)
    shape = tuple(state[found].shape) if found else ()
    return shape if len(shape) == ndim else ()


def find(state: State, name: str) -> str | None:
    """Return the first name that a pattern matches, or None.

    Args:
        state: The tensors.
        name: The pattern; one that has no variable part is quicker.
    """
    plain = name.replace("\\", "")
    if plain in state:
        return plain
    return next((each for each in state if re.fullmatch(name, each)), None)


def presets(table: Mapping[str, Any], *same: str, **places: Any) -> dict[str, dict[str, Any]]:
    """Return for each preset the arguments that it stands for.

    Args:
        table: The presets: tuples, objects, or numbers.
        *same: Arguments that are attributes of the same name.
        **places: For other arguments the index, the attribute, or None: the preset is the number.
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
