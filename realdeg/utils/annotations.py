"""Hold a config's values against the types that signatures say."""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Union

_LISTS = (list, tuple, Sequence, Iterable, Collection)
_DICTS = (dict, Mapping)
# The types that are judged, and what they are called.
_PHRASES: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "None",
    os.PathLike: "a path",
    **dict.fromkeys(_LISTS, "a list"),
    **dict.fromkeys(_DICTS, "a dict"),
}
_PLAIN = (bool, int, float, str, list, tuple, Mapping, type(None))


def fault(value: Any, wanted: Any) -> str | None:
    """Say how a value contradicts an annotation.

    Only plain values are judged (numbers, texts, True or False, None, lists, dicts), and only
    against plain types and literals: what else an annotation may name, its owner knows.

    Args:
        value: The value.
        wanted: A type, a union of types, or ``Any``.

    Returns:
        ``"is 'many', wanted a whole number"``, or None.
    """
    if not isinstance(value, _PLAIN) or any(_fits(value, member) for member in _members(wanted)):
        return None
    return f"is {value!r}, wanted {_phrase(wanted)}"


def argument_fault(component: Any, name: str, value: Any) -> str | None:
    """Say how a value contradicts the annotation of a component's argument.

    Args:
        component: A class or a function.
        name: The argument.
        value: The config's value.

    Returns:
        As :func:`fault`.
    """
    parameter = _parameter(component, name)
    if parameter is None or value is parameter.default:
        return None
    return fault(value, parameter.annotation)


def _parameter(component: Any, name: str) -> inspect.Parameter | None:
    """Return an argument of a function, or of the first class that names it."""
    functions = [component]
    if inspect.isclass(component):
        functions = [
            base.__dict__["__init__"] for base in component.__mro__ if "__init__" in base.__dict__
        ]
    for function in functions:
        try:
            found = inspect.signature(function).parameters.get(name)
        except (TypeError, ValueError):  # a builtin
            continue
        if found is not None:
            return found.replace(annotation=_evaluated(found.annotation, function))
    return None


def _evaluated(annotation: Any, function: Any) -> Any:
    if not isinstance(annotation, str):
        return annotation
    names = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return eval(annotation, names)  # the text of a signature, not of a config
    except Exception:  # it may name what is imported for type checkers only
        return Any


def _members(wanted: Any) -> tuple[Any, ...]:
    if typing.get_origin(wanted) in (Union, types.UnionType):
        return typing.get_args(wanted)
    return (wanted,)


def _fits(value: Any, wanted: Any) -> bool:
    base = typing.get_origin(wanted) or wanted
    if base is Literal:
        return value in typing.get_args(wanted)
    if base is None or base is type(None):
        return value is None
    if base in (int, float):
        kind = Integral if base is int else Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if base in _LISTS and isinstance(value, list | tuple):
        return True  # configs write one where signatures say the other
    if base in _PHRASES:
        return isinstance(value, base)
    # A number or a text becomes no tensor; what else a signature names, only its owner knows.
    tensor = getattr(base, "__name__", "") == "Tensor"
    return not (tensor and isinstance(value, str))


def _phrase(wanted: Any) -> str:
    phrases: list[str] = []
    for member in _members(wanted):
        base = typing.get_origin(member) or member
        if base is Literal:
            phrases += [repr(choice) for choice in typing.get_args(member)]
        elif base is None or base in _PHRASES:
            phrases.append(_PHRASES[type(None) if base is None else base])
    unique = list(dict.fromkeys(phrases))
    return " or ".join([", ".join(unique[:-1]), unique[-1]] if unique[1:] else unique)
