"""Check a value against an annotation, and phrase why it does not fit."""

from __future__ import annotations

import builtins
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Number, Real
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Union

from annotated_types import BaseMetadata, GroupedMetadata, MaxLen, MinLen, MultipleOf, Predicate

from realdeg.utils.argument_types import Ascending, Choice, Component

_LISTS = (list, tuple, Sequence, Iterable, Collection)
_DICTS = (dict, Mapping)
# The types that are checked, with their singular and plural in messages.
_WORDS: dict[Any, tuple[str, str]] = {
    bool: ("True or False", "True and False"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
    type(None): ("None", "None"),
    os.PathLike: ("a path", "paths"),
    Path: ("a path", "paths"),
    **dict.fromkeys(_LISTS, ("a list", "lists")),
    **dict.fromkeys(_DICTS, ("a dict", "dicts")),
}
_PLAIN = (bool, str, list, tuple, Mapping, type(None), Number)
# Built-in values that no data file holds: each fits its own type only.
_CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_ODD = (bytes, bytearray, set, frozenset, range, type(...), types.ModuleType, *_CODE)
# What torch and NumPy can hold in one number.
_LARGEST_WHOLE = 2**64
_DEEPEST = 32


def mismatch(value: Any, annotation: Any) -> str | None:
    """Phrase how a value contradicts an annotation.

    Only plain values and their contents are checked (numbers, strings, booleans, None, lists,
    dicts), and only against plain types, literals and limits (``Annotated[int, Ge(1)]``; a limit on
    a list applies to every number in it). Other classes are left to the component, unless they are
    marked as a :class:`Component`. NaN and whole numbers beyond 64 bits fit nowhere; infinity fits
    only an annotation that leaves numbers open, such as ``Any``.

    Args:
        value: What was given.
        annotation: A type, union, literal, one of these with limits, or ``Any``.

    Returns:
        ``"is 'many', wanted a whole number"``, or None if it fits.
    """
    unusable = _unusable_number(value)
    if unusable or _fits(value, annotation):
        return unusable
    return f"is {shown(value)}, wanted {_wanted(annotation, value)}"


def wrong_item(value: Any, annotation: Any) -> tuple[str, str] | None:
    """Find the first wrong item in a list of components or of lists.

    Args:
        value: The list.
        annotation: The annotation that the list contradicts.

    Returns:
        Its place in the list, such as ``"2"`` or ``"2.0"``, and how it contradicts its annotation;
        None where the fault is another.
    """
    for member, _ in members_of(annotation):
        inner = typing.get_args(member)
        listed = (typing.get_origin(member) or member) in _LISTS and isinstance(value, list | tuple)
        if not (listed and inner) or (len(inner) > 1 and Ellipsis not in inner):
            continue
        item_annotation = inner[0]
        of_components = any(isinstance(mark, Component) for mark in marks_of(item_annotation))
        of_lists = typing.get_origin(item_annotation) in _LISTS
        if not (of_components or of_lists):
            return None
        for number, item in enumerate(value):
            wrong = mismatch(item, item_annotation)
            if wrong and of_components:
                return str(number), wrong
            if wrong:
                return _wrong_in_list(number, item, item_annotation, wrong)
    return None


def _wrong_in_list(number: int, item: Any, annotation: Any, wrong: str) -> tuple[str, str]:
    """Name the wrong value of a list of fixed length, or the list itself."""
    kinds = typing.get_args(annotation)
    fixed = typing.get_origin(annotation) is tuple and Ellipsis not in kinds
    if fixed and isinstance(item, list | tuple) and len(item) == len(kinds):
        for index, (value, kind) in enumerate(zip(item, kinds, strict=True)):
            inner = mismatch(value, kind)
            if inner:
                return f"{number}.{index}", inner
    return str(number), wrong


def shown(value: Any, most: int = 200) -> str:
    """Return the ``repr`` of a value for a message, cut after ``most`` characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits than Python writes, or a list inside itself
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= most else f"{text[:most]}..."


def choices_of(annotation: Any) -> list[str]:
    """Return the strings that an annotation's literals and choices allow."""
    names = []
    for member, marks in members_of(annotation):
        if typing.get_origin(member) is Literal:
            names += [choice for choice in typing.get_args(member) if isinstance(choice, str)]
        names += [str(name) for mark in marks if isinstance(mark, Choice) for name in mark.names]
    return names


def marks_of(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of ``Annotated`` at any depth of an annotation."""
    yield from getattr(annotation, "__metadata__", ())
    for inner in typing.get_args(annotation):
        yield from marks_of(inner)


def evaluated(annotation: Any, function: Callable[..., Any]) -> Any:
    """Evaluate a string annotation with the names of its function's module.

    Names that are imported for type checkers only become ``Any``.
    """
    if not isinstance(annotation, str):
        return annotation
    names = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return eval(annotation, {}, _Names(names))  # from a signature, never from a config
    except Exception:  # an expression that only type checkers understand
        return Any


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Any)


def _unusable_number(value: Any, depth: int = 0) -> str | None:
    """Find a number, at any depth, that no computation can use."""
    if isinstance(value, Mapping | list | tuple):
        if depth >= _DEEPEST:
            return f"is nested more than {_DEEPEST} deep"
        items = value.values() if isinstance(value, Mapping) else value
        found = (_unusable_number(item, depth + 1) for item in items)
        inner = next((one for one in found if one), None)
        return f"holds a number that {inner}" if inner and depth == 0 else inner
    if isinstance(value, float) and math.isnan(value):
        return "is nan, wanted a number"
    if isinstance(value, int) and not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
        return f"is {shown(value, 24)}, wanted a number within 64 bits"
    return None


def _fits(value: Any, wanted: Any, component: bool = False) -> bool:
    origin = typing.get_origin(wanted)
    base = origin or wanted
    if base in (Any, object):
        return True
    if origin is Annotated:
        component = component or any(isinstance(mark, Component) for mark in wanted.__metadata__)
        limits = _limits(wanted.__metadata__)
        return _fits(value, wanted.__origin__, component) and all(
            _within(value, limit) for limit in limits
        )
    if origin in (Union, types.UnionType):
        return any(_fits(value, member, component) for member in typing.get_args(wanted))
    if not isinstance(value, _PLAIN + _ODD) and type(value) is not object:
        return not component or (inspect.isclass(base) and _is_instance(value, base))
    if base is Literal:
        choices = typing.get_args(wanted)
        return any(type(value) is type(choice) and value == choice for choice in choices)
    if base is None:
        return value is None
    if base in (int, float):
        kind = Integral if base is int else Real
        return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if base in _LISTS:
        # A string is a sequence as well, but of single letters.
        listed = isinstance(value, list | tuple | range) or (
            isinstance(value, set | frozenset) and base in (Iterable, Collection)
        )
        return listed and _items_fit(value, typing.get_args(wanted), base is tuple)
    if base in _DICTS:
        inner = typing.get_args(wanted)
        return isinstance(value, Mapping) and (
            len(inner) != 2 or all(_fits(item, inner[1]) for item in value.values())
        )
    if not inspect.isclass(base):  # a type variable, a new type
        return True
    if issubclass(base, PurePath):
        return isinstance(value, str)
    if base in _WORDS:
        return isinstance(value, base)
    return _fits_class(value, base, component)


def _fits_class(value: Any, base: Any, component: bool) -> bool:
    """Check a plain value against a class, which the component may build from it."""
    if component and not isinstance(value, _CODE):
        return False
    if _is_instance(value, base):
        return True
    if component or base is Callable:
        return False
    if base.__name__ == "Tensor" and isinstance(value, str):
        return False
    return not (isinstance(value, _ODD) or type(value) is object) or isinstance(value, _CODE)


def _is_instance(value: Any, base: Any) -> bool:
    try:
        return isinstance(value, base)
    except TypeError:  # a protocol
        return True


def _items_fit(value: Any, inner: tuple[Any, ...], is_tuple: bool) -> bool:
    """Judge a list's items; configs write a list where signatures say tuple, and the reverse."""
    if is_tuple and inner and Ellipsis not in inner:
        pairs = zip(value, inner, strict=False)
        return len(value) == len(inner) and all(_fits(item, one) for item, one in pairs)
    return not inner or all(_fits(item, inner[0]) for item in value)


def _limits(marks: Iterable[Any]) -> list[Any]:
    """Return the single limits among the metadata of ``Annotated``."""
    found: list[Any] = []
    for mark in marks:
        if isinstance(mark, GroupedMetadata):
            found += _limits(mark)
        elif isinstance(mark, BaseMetadata | Ascending | Choice):
            found.append(mark)
    return found


def _within(value: Any, limit: Any) -> bool:
    """Say whether a value that fits a type keeps a limit."""
    if isinstance(limit, MinLen | MaxLen):
        if not hasattr(value, "__len__"):
            return True
        low, high = getattr(limit, "min_length", 0), getattr(limit, "max_length", math.inf)
        return bool(low <= len(value) <= high)
    if isinstance(limit, Ascending):
        several = isinstance(value, list | tuple)
        return not several or all(a <= b for a, b in zip(value, value[1:], strict=False))
    if isinstance(value, list | tuple):
        return all(_within(item, limit) for item in value)
    if isinstance(limit, Choice):
        return value is None or value in limit.names
    if isinstance(limit, Predicate):
        return not isinstance(value, _PLAIN) or value is None or bool(limit.func(value))
    if not isinstance(value, Real) or isinstance(value, bool):
        return True
    if isinstance(limit, MultipleOf):
        return bool(value % limit.multiple_of == 0)
    low, above = getattr(limit, "ge", None), getattr(limit, "gt", None)
    high, below = getattr(limit, "le", None), getattr(limit, "lt", None)
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )


def members_of(wanted: Any, marks: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the members of a union, each with its ``Annotated`` metadata.

    Args:
        wanted: An annotation; one that is no union is its only member.
        marks: Metadata of what surrounds it.
    """
    origin = typing.get_origin(wanted)
    if origin is Annotated:
        yield from members_of(wanted.__origin__, (*marks, *wanted.__metadata__))
    elif origin in (Union, types.UnionType):
        for member in typing.get_args(wanted):
            yield from members_of(member, marks)
    else:
        yield wanted, marks


def _wanted(annotation: Any, value: Any = None) -> str:
    """Phrase what an annotation takes: ``"a whole number, 1 or more, or None"``."""
    phrases: list[str] = []
    for member, marks in members_of(annotation):
        base = typing.get_origin(member) or member
        registry = next((mark.registry for mark in marks if isinstance(mark, Component)), None)
        names = next((mark.names for mark in marks if isinstance(mark, Choice)), ())
        if base is Literal or (base in (str, int) and names):
            phrases += [repr(choice) for choice in names or typing.get_args(member)]
        elif registry is not None:
            known = {str: "a name or a path", type(None): "None"}
            known |= dict.fromkeys(_DICTS, "a dict with a type")
            article = "an" if registry[0] in "aeiou" else "a"
            phrases.append(known.get(base, f"{article} {registry}"))
        elif base is None or base in _WORDS:
            phrase = _WORDS[type(None) if base is None else base][0]
            if base in (int, float) and isinstance(value, float) and math.isinf(value):
                phrase = phrase.replace("a ", "a finite ", 1)
            phrase += _inside(member, base, marks, value)
            phrases.append(phrase + (_said(marks) if base in (int, float, str) else ""))
    unique = list(dict.fromkeys(phrases)) or ["data"]
    comma = "," if any("," in phrase for phrase in unique[:-1]) else ""
    *first, last = unique
    return f"{', '.join(first)}{comma} or {last}" if first else last


def _inside(member: Any, base: Any, marks: tuple[Any, ...], value: Any) -> str:
    """Phrase what a list or dict must hold, if the value is one with other contents."""
    inner = [item for item in typing.get_args(member) if item is not Ellipsis]
    limits = _limits(marks)
    of_list = [limit for limit in limits if isinstance(limit, MinLen | MaxLen | Ascending)]
    of_items = tuple(limit for limit in limits if limit not in of_list)
    count = ""
    if base in _DICTS and isinstance(value, Mapping) and len(inner) == 2:
        inner = inner[1:]
    elif base in _LISTS and isinstance(value, list | tuple) and inner:
        fixed = base is tuple and Ellipsis not in typing.get_args(member)
        count = f"{len(inner)} " if fixed else ""
        if len(set(map(str, inner))) > 1:
            return f" of {count}items: " + ", ".join(_wanted(item) for item in inner)
    else:
        return ""
    words = dict.fromkeys(_plural(*item) for item in members_of(inner[0], of_items))
    named = " or ".join(word for word in words if word)
    items = f" of {count}{named or 'items'}" if named or not of_list else ""
    order = " in ascending order" if any(isinstance(mark, Ascending) for mark in of_list) else ""
    return items + order + _length(of_list)


def _plural(item: Any, marks: tuple[Any, ...]) -> str:
    """Return the plural of a type: ``"numbers from 0 to 1"``, ``"pairs of numbers"``."""
    base = typing.get_origin(item) or item
    inner = typing.get_args(item)
    registry = next((mark.registry for mark in marks if isinstance(mark, Component)), None)
    if registry is not None:
        return f"{registry}es" if registry.endswith("s") else f"{registry}s"
    if base is tuple and len(inner) == 2 and inner[0] == inner[1]:
        return f"pairs of {' or '.join(_plural(*one) for one in members_of(inner[0], marks))}"
    known = _WORDS.get(base)
    return "" if known is None else known[1] + (_said(marks, True) if base in (int, float) else "")


def _said(marks: tuple[Any, ...], several: bool = False) -> str:
    """Phrase the limits of a number or a string: ``" from 0 to 1"``."""
    limits = _limits(marks)
    found = {
        name: getattr(limit, name)
        for limit in limits
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if getattr(limit, name, None) is not None
    }
    words = {"ge": ", {} or more", "gt": " above {}", "le": ", {} or less", "lt": " below {}"}
    if several:
        words |= {"ge": " of {} or more", "le": " of {} or less"}
    if "ge" in found and "le" in found:
        said = f" from {found['ge']} to {found['le']}"
    else:
        said = " and".join(words[name].format(found[name]) for name in words if name in found)
    are = "are" if several else "is"
    if "multiple_of" in found:
        said += f" that {are} divisible by {found['multiple_of']}"
    for limit in limits:
        if isinstance(limit, Predicate):  # phrased from the function's name: is_odd
            name = getattr(limit.func, "__name__", "as its class says")
            said += f" that {are} {name.removeprefix('is_').replace('_', ' ')}"
    return said + _length(limits)


def _length(limits: list[Any]) -> str:
    low = max((limit.min_length for limit in limits if isinstance(limit, MinLen)), default=0)
    high = min((limit.max_length for limit in limits if isinstance(limit, MaxLen)), default=None)
    if high is None:
        return (
            "" if low == 0 else " that is not empty" if low == 1 else f" with {low} items or more"
        )
    return f" with {low} to {high} items" if low != high else f" with {low} items"
