"""Hold a config's values against the types that signatures say."""

from __future__ import annotations

import inspect
import math
import os
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path, PurePath
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
    Path: "a path",
    **dict.fromkeys(_LISTS, "a list"),
    **dict.fromkeys(_DICTS, "a dict"),
}
_PLURALS: dict[Any, str] = {
    bool: "True and False",
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    os.PathLike: "paths",
    **dict.fromkeys(_LISTS, "lists"),
    **dict.fromkeys(_DICTS, "dicts"),
}
_PLAIN = (bool, int, float, str, list, tuple, Mapping, type(None))
# Built-in values that no data file holds: each fits where its own type is asked for.
_ODD = (bytes, bytearray, complex, set, frozenset, range, type(...), types.ModuleType)
_CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


# What torch and NumPy can hold in one number.
_LARGEST_WHOLE = 2**64
_DEEPEST = 32


def fault(value: Any, wanted: Any) -> str | None:
    """Say how a value contradicts an annotation.

    Only plain values are judged (numbers, texts, True or False, None, lists, dicts), with what is
    inside them, and only against plain types and literals: what else an annotation may name, its
    owner knows. NaN and whole numbers beyond 64 bits fit nowhere; an infinite number fits where the
    annotation leaves numbers open.

    Args:
        value: The value.
        wanted: A type, a union of types, or ``Any``.

    Returns:
        ``"is 'many', wanted a whole number"``, or None.
    """
    if isinstance(value, _ODD + _CODE) or type(value) is object:
        fits = any(_takes_odd(value, member) for member in _members(wanted))
        return None if fits else f"is {shown(value)}, wanted {_phrase(wanted, value) or 'data'}"
    if not isinstance(value, _PLAIN):
        return None
    odd = _odd_number(value)
    if odd:
        return odd
    if any(_fits(value, member) for member in _members(wanted)):
        return None
    return f"is {shown(value)}, wanted {_phrase(wanted, value)}"


def _takes_odd(value: Any, wanted: Any) -> bool:
    """Say whether bytes, a set or a function are what an annotation asks for."""
    base = typing.get_origin(wanted) or wanted
    if base in (Any, object):
        return True
    if base in _PHRASES or base is Literal or base is None:
        return isinstance(value, set | frozenset) and base in (Iterable, Collection)
    return not inspect.isclass(base) or isinstance(value, base) or isinstance(value, _CODE)


def shown(value: Any, most: int = 200) -> str:
    """Write a value for a message, cut where it is long.

    Args:
        value: The value.
        most: How many characters are shown.
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits than Python writes, or a list inside itself
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= most else f"{text[:most]}..."


def _odd_number(value: Any, depth: int = 0) -> str | None:
    """Find a number that no computation can take, at any depth."""
    if isinstance(value, Mapping | list | tuple):
        if depth >= _DEEPEST:
            return f"is nested more than {_DEEPEST} deep"
        items = value.values() if isinstance(value, Mapping) else value
        found = (_odd_number(item, depth + 1) for item in items)
        inner = next((odd for odd in found if odd), None)
        return f"holds a number that {inner}" if inner and depth == 0 else inner
    if isinstance(value, float) and math.isnan(value):
        return "is nan, wanted a number"
    if isinstance(value, int) and not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
        return f"is {shown(value, 24)}, wanted a number within 64 bits"
    return None


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
    if parameter is None or value is parameter.default or _same(value, parameter.default):
        return None
    return fault(value, parameter.annotation)


def _same(value: Any, default: Any) -> bool:
    """Say whether a number is the default itself, which may be infinite."""
    return type(value) is type(default) is float and value == default


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
        return any(type(value) is type(choice) and value == choice for choice in _choices(wanted))
    if base is None or base is type(None):
        return value is None
    if base in (int, float):
        kind = Integral if base is int else Real
        return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if base in _LISTS and isinstance(value, str):
        return False  # Python would go through its letters
    if base in _LISTS and isinstance(value, list | tuple):
        return _items_fit(value, typing.get_args(wanted), base)
    if base in _DICTS and isinstance(value, Mapping):
        inner = typing.get_args(wanted)
        return len(inner) != 2 or all(_item_fits(item, inner[1]) for item in value.values())
    if inspect.isclass(base) and issubclass(base, PurePath):
        return isinstance(value, str)
    if base in _PHRASES:
        return isinstance(value, base)
    # A number or a text becomes no tensor; what else a signature names, only its owner knows.
    tensor = getattr(base, "__name__", "") == "Tensor"
    return not (tensor and isinstance(value, str))


def _items_fit(value: Sequence[Any], inner: tuple[Any, ...], base: Any) -> bool:
    """Judge a list's items; configs write a list where signatures say tuple, and the reverse."""
    if base is tuple and inner and Ellipsis not in inner:
        pairs = zip(value, inner, strict=False)
        return len(value) == len(inner) and all(_item_fits(item, one) for item, one in pairs)
    return not inner or all(_item_fits(item, inner[0]) for item in value)


def _item_fits(item: Any, wanted: Any) -> bool:
    members = _members(wanted)
    if isinstance(item, _ODD + _CODE):
        return any(_takes_odd(item, member) for member in members)
    return not isinstance(item, _PLAIN) or any(_fits(item, member) for member in members)


def _choices(wanted: Any) -> tuple[Any, ...]:
    return typing.get_args(wanted)


def _phrase(wanted: Any, value: Any = None) -> str:
    phrases: list[str] = []
    for member in _members(wanted):
        base = typing.get_origin(member) or member
        if base is Literal:
            phrases += [repr(choice) for choice in typing.get_args(member)]
        elif base is None or base in _PHRASES:
            phrase = _PHRASES[type(None) if base is None else base]
            if base in (int, float) and isinstance(value, float) and math.isinf(value):
                phrase = phrase.replace("a ", "a finite ", 1)
            phrases.append(phrase + _inside(member, base, value))
    unique = list(dict.fromkeys(phrases))
    return " or ".join([", ".join(unique[:-1]), unique[-1]] if unique[1:] else unique)


def _inside(member: Any, base: Any, value: Any) -> str:
    """Say what a list or dict has to hold, where the value is one with something else inside."""
    inner = [item for item in typing.get_args(member) if item is not Ellipsis]
    if base in _DICTS and isinstance(value, Mapping) and len(inner) == 2:
        what, count = inner[1], ""
    elif base in _LISTS and isinstance(value, list | tuple) and inner:
        fixed = base is tuple and Ellipsis not in typing.get_args(member)
        what, count = inner[0], f"{len(inner)} " if fixed else ""
        if len(set(map(str, inner))) > 1:
            return f" of {count}items: " + ", ".join(_phrase(item) for item in inner)
    else:
        return ""
    bases = [typing.get_origin(item) or item for item in _members(what)]
    plurals = [_PLURALS[item] for item in bases if item in _PLURALS]
    return f" of {count}{' or '.join(dict.fromkeys(plurals)) or 'items'}"
