"""Files of traces, one JSON object per line, and traces as text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from realdeg.degradations.trace import Trace
from realdeg.errors import DataError
from realdeg.utils.files import atomic_path

Crop: TypeAlias = tuple[int, int, int, int]
"""Top, left, height and width of a part of an image."""

# The same for every trace of a degradation.
OMITTED = ("scale", "same_size")
# Files of traces are much smaller than this.
_LARGEST_FILE = 64 << 20


@dataclass(frozen=True)
class TraceRecord:
    """One line of a file of traces.

    Args:
        trace: The trace.
        image: Name of the degraded image, or None.
        crop: (top, left, height, width) of the degraded part, or None for the whole image.
        seed: The seed that the trace was drawn with, or None.
    """

    trace: Trace
    image: str | None = None
    crop: Crop | None = None
    seed: int | None = None


def write_traces(path: str | os.PathLike[str], records: Sequence[TraceRecord]) -> Path:
    """Write traces, one JSON object per line: ``trace``, ``image``, ``crop``, ``seed``.

    Args:
        path: The file to write; an existing one is replaced.
        records: The traces.

    Raises:
        OutputError: If it cannot be written.
    """
    lines = [
        json.dumps(
            {
                "image": record.image,
                "crop": None if record.crop is None else list(record.crop),
                "seed": record.seed,
                "trace": record.trace.to_dict(),
            },
            allow_nan=False,
        )
        for record in records
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(path)


def read_traces(path: str | os.PathLike[str]) -> list[TraceRecord]:
    """Read traces from a file, in its order.

    Args:
        path: A file of :func:`write_traces`, one ``Trace.to_json`` per line, or a
            ``manifest.jsonl`` of ``realdeg degrade``.

    Raises:
        DataError: If the file cannot be read or contains something else.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise DataError(
                f"{file} has more than {_LARGEST_FILE >> 20} MiB: it is not a file of traces."
            )
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read the traces {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not a file of traces: it is not text.") from error
    try:
        whole = json.loads(text)
        lines = [(1, whole)]
    except (ValueError, RecursionError):
        lines = list(_json_lines(text, file))
    records = []
    for number, line in lines:
        if isinstance(line, dict) and line.get("record") == "header":
            continue  # of a manifest
        try:
            records.append(_record(line))
        except DataError as error:
            raise DataError(f"line {number} of {file}: {error}") from error
    if not records:
        raise DataError(f"{file} contains no traces.")
    return records


def _json_lines(text: str, file: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"line {number} of {file} is not JSON: {error}.") from error


def _record(line: Any) -> TraceRecord:
    if not isinstance(line, dict) or "trace" not in line:
        return TraceRecord(Trace.from_dict(line))
    crop, seed = line.get("crop"), line.get("seed")
    image = line.get("image", line.get("name"))
    if crop is not None and not (
        isinstance(crop, list)
        and len(crop) == 4
        and all(isinstance(n, int) and not isinstance(n, bool) for n in crop)
    ):
        raise DataError(f"crop must be [top, left, height, width] or null, got {crop!r}.")
    return TraceRecord(
        Trace.from_dict(line["trace"]),
        image if isinstance(image, str) else None,
        None if crop is None else (crop[0], crop[1], crop[2], crop[3]),
        seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
    )


def trace_lines(trace: Trace) -> list[str]:
    """Describe a trace in one line per step; seeds are left out.

    Lines of parts and steps are indented.

    Examples:
        >>> trace_lines(Trace("Blur", {"scale": 4, "sigma": 1.2345, "noise_seed": 7}))
        ['Blur: sigma 1.23']
    """
    return list(_lines(trace, 0))


def _lines(trace: Trace, depth: int) -> Iterator[str]:
    indent = "  " * depth
    params = {key: value for key, value in trace.params.items() if key not in OMITTED}
    steps = params.pop("steps", None)
    words = _words(params)
    yield f"{indent}{trace.type}" + (f": {words}" if words else "")
    if isinstance(steps, list | tuple):
        for step in steps:
            yield f"{indent}  {_step(step)}"
    for part in trace.parts:
        yield from _lines(part, depth + 1)


def _step(step: Any) -> str:
    if not isinstance(step, Mapping):
        return value_in_words(step)
    rest = {key: value for key, value in step.items() if key != "op"}
    words = _words(rest)
    return str(step.get("op", "step")) + (f": {words}" if words else "")


def _words(params: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value_in_words(value)}"
        for key, value in params.items()
        if not str(key).endswith("seed") and value is not None
    )


def value_in_words(value: Any) -> str:
    """Return a value of a trace as text: numbers with three digits, long lists by their length."""
    if isinstance(value, Mapping):
        return "(" + _words(value) + ")"
    if isinstance(value, np.ndarray):
        return "x".join(str(n) for n in value.shape) + " array"
    if isinstance(value, list | tuple):
        if len(value) > 6:
            return f"{len(value)} values"
        return "[" + ", ".join(value_in_words(item) for item in value) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
