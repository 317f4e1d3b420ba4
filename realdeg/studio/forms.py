"""Forms from signatures: what a constructor's annotations state, as fields to fill in."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from annotated_types import GroupedMetadata

from realdeg.errors import ConfigError
from realdeg.utils.annotations import members_of
from realdeg.utils.argument_types import Choice, Component
from realdeg.utils.arguments import arguments_of
from realdeg.utils.component import plain
from realdeg.utils.data_file import parse_data
from realdeg.utils.geometry import GEOMETRY

Kind = Literal["switch", "choice", "number", "range", "data"]

USUAL = "as usual"
"""What a menu shows for None, where it may be chosen."""
_LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class Field:
    """One argument of a component, as a form shows it.

    Attributes:
        name: The argument.
        kind: ``"switch"`` (True or False), ``"choice"``, ``"number"``, ``"range"`` (the smallest
            and largest number that may be drawn) or ``"data"`` (anything else, written as YAML).
        default: The value where nothing is filled in; None too where ``required``.
        help: What the class's docstring says about it.
        choices: The values of a choice.
        whole: Whether numbers are whole.
        low: The smallest number, or None.
        high: The largest number, or None.
        fixed: Whether a range may be one number.
        optional: Whether None may be given.
        required: Whether there is no default.
    """

    name: str
    kind: Kind
    default: Any = None
    help: str = ""
    choices: tuple[Any, ...] = ()
    whole: bool = False
    low: float | None = None
    high: float | None = None
    fixed: bool = False
    optional: bool = False
    required: bool = False

    @property
    def menu(self) -> list[tuple[str, Any]]:
        """The entries of a choice: words and value."""
        none = [(USUAL, USUAL)] if self.optional else []
        return [*none, *((str(one), one) for one in self.choices)]

    def shown(self, value: Any) -> Any:
        """Return what the form shows of a value: two numbers for a range, text for data.

        Args:
            value: A value of the argument.
        """
        if self.kind == "range":
            several = isinstance(value, list | tuple)
            return list(value) if several else [value, value]
        if self.kind == "data":
            return "" if value is None else as_text(value)
        return USUAL if self.optional and value is None and self.kind == "choice" else value

    def read(self, entered: Any) -> Any:
        """Return the value of what was entered, the inverse of :meth:`shown`.

        Args:
            entered: What a form holds; text for ``"data"``, two numbers for ``"range"``.

        Raises:
            ConfigError: If text is not YAML. Ranges and types are left to the component.
        """
        if self.kind == "data":
            text = str(entered or "").strip()
            if len(text) > _LONGEST_TEXT:
                raise ConfigError(f"'{self.name}' has {len(text)} characters: no argument has.")
            return parse_data(text, f"'{self.name}'") if text else self.default
        if self.kind == "range":
            if None in entered:
                return self.default
            low, high = (self._number(one) for one in entered)
            return low if self.fixed and low == high else [low, high]
        if self.kind == "number":
            return self.default if entered is None else self._number(entered)
        return None if self.kind == "choice" and entered == USUAL else entered

    def _number(self, entered: Any) -> Any:
        whole = float(entered).is_integer()
        return int(entered) if whole and self.whole else float(entered)


def fields_of(component: type, *, without: Iterable[str] = GEOMETRY) -> list[Field]:
    """Return the fields of a component's constructor, in its order.

    Args:
        component: A registered class.
        without: Arguments that the caller asks for elsewhere.

    Example:
        >>> from realdeg.degradations.awgn import AWGN
        >>> [(field.name, field.kind, field.low, field.high) for field in fields_of(AWGN)]
        [('sigma', 'number', 0, 255), ('clip', 'switch', None, None), ('luma', 'data', None, None)]
    """
    known = arguments_of(component)
    notes = argument_help(component)
    left_out = set(without)
    return [
        _field(name, parameter, notes.get(name, ""))
        for name, parameter in known.parameters.items()
        if name not in left_out
    ]


def argument_help(component: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say about each argument.

    Args:
        component: A class with an ``Args:`` section as Google's style has it.
    """
    found: dict[str, str] = {}
    for base in component.__mro__:
        text = inspect.cleandoc(vars(base).get("__doc__") or "")
        section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", text, re.MULTILINE)
        lines = inspect.cleandoc("\n" + section[1]) if section else ""
        for name, words in re.findall(r"^(\w+): ((?:.*(?:\n +.*)*))", lines, re.MULTILINE):
            found.setdefault(name, " ".join(words.split()).replace("``", ""))
    return found


def chosen(fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that differ from their defaults, as plain data.

    Args:
        fields: The fields of a form.
        values: Values by argument.
    """
    defaults = {field.name: field.default for field in fields if not field.required}
    return {
        name: plain(value)
        for name, value in values.items()
        if name not in defaults or plain(value) != plain(defaults[name])
    }


def as_text(value: Any) -> str:
    """Return plain data as one line of YAML.

    Args:
        value: Numbers, strings, lists and dicts.

    Example:
        >>> as_text({"type": "JPEG", "quality": (30, 60)}), as_text("AWGN")
        ('{"type": "JPEG", "quality": [30, 60]}', 'AWGN')
    """
    if isinstance(value, str) and value and _is_word(value):
        return value
    return json.dumps(plain(value), ensure_ascii=False)  # JSON is YAML


def _field(name: str, parameter: inspect.Parameter, note: str) -> Field:
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    members = list(members_of(parameter.annotation))
    optional = any(member in (None, type(None)) for member, _ in members)
    stated = [(member, marks) for member, marks in members if member not in (None, type(None))]
    kinds = {_kind(member, marks) for member, marks in stated}
    common: dict[str, Any] = {
        "help": note,
        "default": default,
        "optional": optional,
        "required": required,
    }
    if kinds == {"choice"} or (kinds == {"switch"} and optional):
        choices = [choice for member, marks in stated for choice in _choices(member, marks)]
        return Field(name, "choice", choices=tuple(choices), **common)
    if kinds == {"switch"}:
        return Field(name, "switch", **common)
    low, high = _limits([mark for _, marks in stated for mark in marks])
    if kinds <= {"number", "range"} and kinds and not optional:
        numbers = {one for member, _ in stated for one in (typing.get_args(member) or (member,))}
        kind: Kind = "range" if "range" in kinds else "number"
        whole, fixed = numbers == {int}, "number" in kinds
        return Field(name, kind, whole=whole, low=low, high=high, fixed=fixed, **common)
    return Field(name, "data", **common)


def _kind(member: Any, marks: tuple[Any, ...]) -> Kind:
    if any(isinstance(mark, Component) for mark in marks):
        return "data"
    if typing.get_origin(member) is Literal or any(isinstance(mark, Choice) for mark in marks):
        return "choice"
    if member is bool:
        return "switch"
    if member in (int, float):
        return "number"
    if typing.get_origin(member) is tuple and typing.get_args(member) in ((int, int), (float,) * 2):
        return "range"
    return "data"


def _choices(member: Any, marks: tuple[Any, ...]) -> tuple[Any, ...]:
    if member is bool:
        return (True, False)
    named = next((mark.names for mark in marks if isinstance(mark, Choice)), None)
    return named if named is not None else typing.get_args(member)


def _limits(marks: Iterable[Any]) -> tuple[float | None, float | None]:
    """Return the smallest and largest number that limits allow; an open end counts as closed."""
    low: list[float] = []
    high: list[float] = []
    for mark in marks:
        for one in mark if isinstance(mark, GroupedMetadata) else (mark,):
            low += [getattr(one, name) for name in ("ge", "gt") if _is_limit(one, name)]
            high += [getattr(one, name) for name in ("le", "lt") if _is_limit(one, name)]
    return (max(low) if low else None), (min(high) if high else None)


def _is_limit(mark: Any, name: str) -> bool:
    return isinstance(getattr(mark, name, None), int | float)


def _is_word(text: str) -> bool:
    """Return whether YAML reads a text as itself."""
    try:
        return bool(parse_data(text, "a word") == text)
    except ConfigError:
        return False
