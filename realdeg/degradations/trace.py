"""The record of what was done to one image: plain data, written to JSON and replayed.

A trace holds numbers, strings, lists and small arrays such as a blur kernel. Fields as large as the
image, such as noise, are recorded by their seed. Reading a trace never runs code: it is JSON with a
fixed set of fields.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Number
from typing import Annotated, Any, TypeVar, Union

import numpy as np
from annotated_types import Interval

from realdeg.errors import DataError
from realdeg.utils.annotations import mismatch
from realdeg.utils.arguments import arguments_of
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.notebook import Table, html_block, kernel_picture
from realdeg.utils.place import Place, as_place
from realdeg.utils.plain_json import read_json

TRACE_VERSION = 1
# A trace is a record, not an image: 1 MiB holds a 362 x 362 float64 kernel.
_LARGEST_ARRAY = 1 << 20
_DTYPES = ("float32", "float64", "int64", "uint8")
_DEEPEST = 32
_MOST_PICTURES = 8
_FIELDS = {"version", "type", "size", "params", "parts"}

Seed = Annotated[int, Interval(ge=0, lt=2**63)]
"""The seed of a random field."""
P = TypeVar("P", bound="TraceParams")


@dataclass(frozen=True)
class TraceParams:
    """What a degradation draws for one image; each class defines its own frozen dataclass.

    A field's annotation states what a trace may hold: a type, a choice
    (``Literal["malvar", "bilinear"]``) or a range (``Annotated[float, Interval(ge=0, le=255)]``).
    A field annotated ``object`` is checked by its reader.
    """

    def to_params(self) -> dict[str, Any]:
        """Return the fields by name, in their order, for :attr:`Trace.params`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Trace:
    """Every decision of a degradation for one image.

    Args:
        type: The registered name of the degradation.
        params: The decisions: numbers, strings, lists, mappings and small NumPy arrays.
        size: (channels, height, width) of the HR image.
        parts: Traces of the parts of a container.
    """

    type: str
    params: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int, int] = (0, 0, 0)
    parts: tuple[Trace, ...] = ()

    def __repr__(self) -> str:
        """Return the decisions in short: arrays by their size, without seeds."""
        channels, height, width = self.size
        return f"Trace({self.in_words()}; HR {height} x {width}, {channels} channels)"

    def _repr_html_(self) -> str:
        """Return every decision, steps as rows and kernels as pictures, for a notebook."""
        channels, height, width = self.size
        rows, arrays = _listed(self)
        return html_block(
            f"Trace of {self.type}",
            {"HR": f"{height} x {width}, {channels} channels"},
            tables=[Table(("what", "drawn"), rows)],
            pictures=[kernel_picture(array, name) for name, array in arrays[:_MOST_PICTURES]],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as JSON-compatible data."""
        return {
            "version": TRACE_VERSION,
            "type": self.type,
            "size": list(self.size),
            "params": {name: _encode(value, name) for name, value in self.params.items()},
            "parts": [part.to_dict() for part in self.parts],
        }

    def to_json(self) -> str:
        """Return the trace as one line of JSON."""
        return json.dumps(self.to_dict(), separators=(", ", ": "), allow_nan=False)

    @classmethod
    def from_dict(cls, record: Any, _depth: int = 0) -> Trace:
        """Read a trace from JSON-compatible data.

        Args:
            record: The result of :meth:`to_dict`.

        Returns:
            The trace.

        Raises:
            DataError: If a field is missing, unknown or of a wrong type, or the version differs.
        """
        if _depth > _DEEPEST:
            raise DataError(f"a trace is nested more than {_DEEPEST} deep: it is damaged.")
        if not isinstance(record, dict):
            raise DataError(f"a trace is a JSON object, got {type(record).__name__}.")
        if record.get("version") != TRACE_VERSION:
            raise DataError(
                f"a trace of version {record.get('version')!r} cannot be replayed here: this"
                f" release reads version {TRACE_VERSION}."
            )
        if set(record) != _FIELDS:
            odd = sorted(set(record) ^ _FIELDS)
            raise DataError(f"a trace has missing or unknown fields: {', '.join(odd)}.")
        size, params, parts = record["size"], record["params"], record["parts"]
        if not (
            isinstance(size, list)
            and len(size) == 3
            and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in size)
        ):
            raise DataError(f"a trace's size is [channels, height, width], got {size!r}.")
        if not (
            isinstance(record["type"], str) and isinstance(params, dict) and isinstance(parts, list)
        ):
            raise DataError("a trace's type is a string, its params an object, its parts a list.")
        return cls(
            record["type"],
            {str(name): _decode(value, name) for name, value in params.items()},
            (size[0], size[1], size[2]),
            tuple(cls.from_dict(part, _depth + 1) for part in parts),
        )

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Read a trace from the result of :meth:`to_json`.

        Raises:
            DataError: If the text is not JSON or not a trace.
        """
        return cls.from_dict(read_json(text, "a trace", DataError))

    def read(self, kind: Callable[..., P]) -> P:
        """Return checked decisions, as a trace may come from an untrusted source.

        Args:
            kind: The dataclass that defines them; other params are ignored.

        Raises:
            DataError: If one is missing, or contradicts the dataclass.
        """
        return kind(**checked_params(kind, self.params, f"the trace of {self.type}"))

    def get(self, name: str, kind: Any) -> Any:
        """Return one decision (deprecated: :meth:`read` also checks ranges).

        Args:
            name: The decision's name.
            kind: Its type, or a tuple of types.
        """
        warn_renamed("Trace.get", "Trace.read")
        where = f"the trace of {self.type}"
        if name not in self.params:
            raise DataError(f"{where} lacks '{name}'.")
        return _checked(name, self.params[name], Union[kind], where)  # noqa: UP007 - may be a tuple

    def in_words(self) -> str:
        """Return the trace as a short phrase, for captions."""
        if self.parts:
            return " > ".join(part.in_words() for part in self.parts)
        notes = [
            f"{name} {_word(value)}"
            for name, value in self.params.items()
            if not name.endswith("seed")
        ]
        return self.type + (f" ({', '.join(notes)})" if notes else "")


def place_of(trace: Trace) -> Place | None:
    """Return the place in a trace, which may come from an untrusted source.

    Raises:
        DataError: If there is none, or it is not a place; None is one that is not known.
    """
    where = f"the trace of {trace.type}"
    if "place" not in trace.params:
        raise DataError(f"{where} lacks 'place'.")
    place = trace.params["place"]
    return None if place is None else as_place(place, where)


def checked_params(
    kind: Callable[..., Any], params: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return the arguments of a dataclass or function from a record, each checked.

    Args:
        kind: The dataclass or function, whose annotations state what is allowed.
        params: The record.
        where: A name of the record for messages: ``"the trace of AWGN"``.

    Returns:
        The arguments by name; those with a default may be missing.

    Raises:
        DataError: If one is missing or contradicts its annotation.
    """
    known = arguments_of(kind)
    for name in known.required:
        if name not in params:
            raise DataError(f"{where} lacks '{name}'.")
    return {
        name: _checked(name, params[name], parameter.annotation, where)
        for name, parameter in known.parameters.items()
        if name in params
    }


def _checked(name: str, value: Any, annotation: Any, where: str) -> Any:
    if annotation is np.ndarray:
        wrong = None if isinstance(value, np.ndarray) else f"is {value!r:.60}, wanted an array"
    elif annotation is object:
        wrong = None
    else:
        # `mismatch` accepts objects, which a constructor may convert; a trace must not hold any.
        wrong = mismatch(value, annotation) if _is_plain(value) else "is not a plain value"
    if wrong:
        raise DataError(f"{where}: '{name}' {wrong}.")
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, str | Number)


def _listed(trace: Trace) -> tuple[list[tuple[str, str]], list[tuple[str, np.ndarray]]]:
    """Return all decisions as rows, and the square arrays among them, of parts as well."""
    rows: list[tuple[str, str]] = []
    arrays: list[tuple[str, np.ndarray]] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim == 2 and len(set(value.shape)) == 1:
            arrays.append((name, value))
        if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value, start=1):
                add(f"{name} {number}", item)
            return
        rows.append((name, _word(value)))
        for key, item in value.items() if isinstance(value, Mapping) else ():
            if isinstance(item, np.ndarray):
                add(f"{name}, {key}", item)

    for name, value in trace.params.items():
        add(name, value)
    for number, part in enumerate(trace.parts, start=1):
        below, pictures = _listed(part)
        rows += [(f"{number} {part.type}: {name}", value) for name, value in below]
        arrays += [(f"{number} {part.type}: {name}", value) for name, value in pictures]
    return rows, arrays


def _word(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "x".join(str(n) for n in value.shape) + " array"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        named = [
            f"{key} {_word(item)}"
            for key, item in value.items()
            if key != "op" and not str(key).endswith("seed")
        ]
        return " ".join([str(value.get("op", "")), *named]).strip()
    if isinstance(value, list | tuple):
        joint = " > " if value and isinstance(value[0], Mapping) else " "
        return joint.join(_word(item) for item in value)
    return str(value)


def _encode(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES or value.nbytes > _LARGEST_ARRAY:
            raise DataError(
                f"'{name}' is not a small array of {', '.join(_DTYPES)}: record its seed."
            )
        little = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<")))
        return {
            "array": value.dtype.name,
            "shape": list(value.shape),
            "base64": base64.b64encode(little.tobytes()).decode(),
        }
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"'{name}' in a trace is {value}: only finite numbers are recorded.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_encode(item, name) for item in value]
    if isinstance(value, Mapping):
        if "array" in value:
            raise DataError(f"'{name}' in a trace uses the reserved name 'array'.")
        return {str(key): _encode(item, name) for key, item in value.items()}
    raise DataError(
        f"'{name}' in a trace is a {type(value).__name__}: only plain data is recorded."
    )


def _decode(value: Any, name: str, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise DataError(f"'{name}' in a trace is nested more than {_DEEPEST} deep.")
    if isinstance(value, list):
        return [_decode(item, name, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"'{name}' in a trace is {value}: only finite numbers are recorded.")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise DataError(f"'{name}' in a trace is a number beyond 64 bits: it is damaged.")
    if not isinstance(value, dict):
        return value
    if "array" not in value:
        return {key: _decode(item, name, depth + 1) for key, item in value.items()}
    dtype, shape, text = value.get("array"), value.get("shape"), value.get("base64")
    if (
        dtype not in _DTYPES
        or not isinstance(text, str)
        or not isinstance(shape, list)
        or not all(isinstance(n, int) and 0 <= n <= _LARGEST_ARRAY for n in shape)
    ):
        raise DataError(f"the array '{name}' in a trace is damaged.")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"the array '{name}' in a trace is damaged: {error}.") from error
    little = np.dtype(dtype).newbyteorder("<")
    if len(content) != math.prod(shape) * little.itemsize or len(content) > _LARGEST_ARRAY:
        raise DataError(f"the array '{name}' in a trace has another size than its shape {shape}.")
    return np.frombuffer(content, little).astype(dtype).reshape(shape)
