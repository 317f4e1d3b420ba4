"""The same degradation with other numbers, for schedules."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, cast

from torch import nn

from realdeg.errors import ConfigError
from realdeg.utils.arguments import arguments_of
from realdeg.utils.schedules import replaced, rounded, takes_whole_only


def rebuilt(degradation: Any, numbers: Mapping[str, Any]) -> Any:
    """Build a degradation anew with other numbers; see ``Degradation.changed``."""
    name = type(degradation).__name__
    known = arguments_of(cast(Hashable, type(degradation))).parameters
    given = {}
    for path, value in numbers.items():
        found = known.get(path.partition(".")[0])
        whole = found is not None and takes_whole_only(found.annotation)
        given[path] = rounded(value) if whole else value
    made = degradation.rebuild(replaced(built_arguments(degradation), given, name))
    kept = {id(parameter) for parameter in degradation.parameters()}
    if any(id(parameter) not in kept for parameter in made.parameters()):
        raise ConfigError(
            f"{name} has learned weights, which belong to the arguments that it was built with:"
            f" {', '.join(numbers)} cannot change."
        )
    return made.train(degradation.training)


def built_arguments(degradation: Any) -> dict[str, Any]:
    """Return a degradation's arguments, with the objects that it was built of for its parts."""
    left = list(_parts(degradation))

    def built(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [built(item) for item in value]
        if not isinstance(value, Mapping) or "type" not in value:
            return value
        own = {key: item for key, item in value.items() if key != "type"}
        for index, part in enumerate(left):
            if type(part).__name__ == value["type"] and part.arguments == own:
                return left.pop(index)
        return value

    return {name: built(value) for name, value in degradation.arguments.items()}


def _parts(module: nn.Module) -> Iterator[Any]:
    for child in module.children():
        if hasattr(child, "changed"):
            yield child
        else:
            yield from _parts(child)
