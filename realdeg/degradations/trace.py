"""The record of what was done to one image: plain data, written to JSON and replayed.

A trace holds numbers, strings, lists and small arrays (a blur kernel, say). Fields as large as
the image, such as noise, are recorded by the seed that draws them. Reading a trace never runs
code: it is JSON with a fixed set of fields.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realdeg.errors import DataError
from realdeg.utils.plain_json import read_json

TRACE_VERSION = 1
# A trace is a record, not an image: 1 MiB holds a 362 x 362 float64 kernel.
_LARGEST_ARRAY = 1 << 20
_DTYPES = ("float32", "float64", "int64", "uint8")
_DEEPEST = 32
_FIELDS = {"version", "type", "size", "params", "parts"}


@dataclass(frozen=True)
class Trace:
    """Every decision that a degradation took for one image.

    Args:
        type: The registered name of the degradation.
        params: The decisions: numbers, strings, lists, mappings and small NumPy arrays.
        size: (channels, height, width) of the HR image that it was drawn for.
        parts: Traces of the parts of a container.
    """

    type: str
    params: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int, int] = (0, 0, 0)
    parts: tuple[Trace, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as JSON's types."""
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
        """Read a trace from JSON's types.

        Args:
            record: What :meth:`to_dict` gave.

        Returns:
            The trace.

        Raises:
            DataError: If a field is missing, unknown, of a wrong type or of another version.
        """
        if _depth > _DEEPEST:
            raise DataError(
                f"a trace is nested more than {_DEEPEST} deep: it is damaged or hostile."
            )
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
        """Read a trace from :meth:`to_json`'s text.

        Args:
            text: JSON.

        Returns:
            The trace.

        Raises:
            DataError: If the text is not JSON or not a trace.
        """
        return cls.from_dict(read_json(text, "a trace", DataError))

    def get(self, name: str, kind: builtins.type | tuple[builtins.type, ...]) -> Any:
        """Return a decision after checking its type: traces may come from anywhere.

        Args:
            name: The decision's name.
            kind: The type or types it must have.

        Returns:
            Its value.

        Raises:
            DataError: If it is missing or of another type.
        """
        if name not in self.params:
            raise DataError(f"the trace of {self.type} lacks '{name}'.")
        value = self.params[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(
                f"'{name}' in the trace of {self.type} is {value!r:.60}: it has the wrong type."
            )
        return value

    def in_words(self) -> str:
        """Return the trace as a short phrase for a picture's caption."""
        if self.parts:
            return " > ".join(part.in_words() for part in self.parts)
        notes = [
            f"{name} {_word(value)}"
            for name, value in self.params.items()
            if not name.endswith("seed")
        ]
        return self.type + (f" ({', '.join(notes)})" if notes else "")


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
            raise DataError(f"'{name}' is no small array of {', '.join(_DTYPES)}: record its seed.")
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
