"""What arguments a component takes, seen through ``**kwargs``."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from realdeg.errors import ConfigError, nearest
from realdeg.utils.annotations import argument_fault

_FOREIGN = ("torch", "mmengine", "mmcv")


@dataclass(frozen=True)
class Arguments:
    """The named arguments of a class or function."""

    names: tuple[str, ...]
    """Every argument that has a name, the class's own first."""
    required: tuple[str, ...]
    """Those of the class's own signature that have no default."""
    open: bool
    """Whether arguments beyond these cannot be ruled out."""

    def __contains__(self, name: str) -> bool:
        return name in self.names


def _foreign(component: Any) -> bool:
    return str(getattr(component, "__module__", "")).split(".")[0] in _FOREIGN


def _parameters(function: Any) -> tuple[list[inspect.Parameter], bool]:
    """Return the named parameters, and whether ``**kwargs`` follows them."""
    parameters = list(inspect.signature(function).parameters.values())
    named = [
        item
        for item in parameters
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY) and item.name != "self"
    ]
    return named, any(item.kind is item.VAR_KEYWORD for item in parameters)


def arguments_of(component: Any) -> Arguments:
    """Return the arguments that a registered class or function takes.

    A ``**kwargs`` is followed into the base classes, in the order Python resolves them.

    Args:
        component: What a registry returned.

    Returns:
        Its arguments. ``open`` for what cannot be looked into: a function with ``**kwargs``, and
        torch's and mmengine's classes with ``**kwargs``.
    """
    if not inspect.isclass(component):
        try:
            named, more = _parameters(component)
        except (TypeError, ValueError):  # a builtin without a signature
            return Arguments((), (), open=True)
        return Arguments(tuple(p.name for p in named), _required(named), more)
    names: list[str] = []
    required: tuple[str, ...] | None = None
    for base in component.__mro__:
        if "__init__" not in base.__dict__ or base is object:
            continue
        try:
            named, more = _parameters(base.__dict__["__init__"])
        except (TypeError, ValueError):
            return Arguments(tuple(names), required or (), open=True)
        names += [item.name for item in named if item.name not in names]
        if required is None:
            required = _required(named)
        if not more:
            break
        if base.__name__ == "Module" and base.__module__.startswith("torch."):
            break  # its own **kwargs is a refusal in disguise: it takes nothing
        if _foreign(base) and not _followed(component, base):
            return Arguments(tuple(names), required, open=True)
    return Arguments(tuple(names), required or (), open=False)


def _followed(component: type, base: type) -> bool:
    """Say whether a class behind this one, in Python's order, may take its **kwargs."""
    behind = component.__mro__[component.__mro__.index(base) + 1 :]
    return any("__init__" in other.__dict__ for other in behind if other is not object)


def _required(named: list[inspect.Parameter]) -> tuple[str, ...]:
    return tuple(item.name for item in named if item.default is item.empty)


def check_arguments(
    component: Any, settings: Mapping[str, Any], place: str = "", also: Collection[str] = ()
) -> None:
    """Refuse an argument that a component does not take, or whose value is of another type.

    Args:
        component: What a registry returned.
        settings: Its config; ``type`` and keys that begin with an underscore are not arguments.
        place: Where in the config it stands, for the message.
        also: Further keys that somebody else takes out.

    Raises:
        ConfigError: Naming the first argument that is unknown and the nearest one, or the value
            and what is wanted; and its place.
    """
    known = arguments_of(component)
    name = getattr(component, "__name__", component)
    for key, value in settings.items():
        if key in also or key == "type" or str(key).startswith("_"):
            continue
        if key in known:
            wrong = argument_fault(component, key, value)
            if wrong:
                raise ConfigError(f"'{place or name}.{key}' {wrong}.")
            continue
        if known.open:
            continue
        at = f" (at '{place}.{key}')" if place else ""
        raise ConfigError(
            f"{name} takes no argument '{key}'{at}."
            f"{nearest(str(key), list(known.names))}"
            f" It takes: {', '.join(known.names) or 'none'}."
        )
