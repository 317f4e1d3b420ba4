"""The reports of ``realdeg test``, read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realdeg.errors import DataError
from realdeg.evaluation.report import FORMAT
from realdeg.runs.record import TestedImage, TestReport
from realdeg.runs.text import read_text
from realdeg.utils.plain_json import read_json

LARGEST_REPORT = 1 << 26
"""The most bytes of a report: some 200,000 images with three scores."""


def read_report(file: Path) -> TestReport | None:
    """Read a ``report.json``.

    Returns:
        The report, or None for a file of another format, such as another program's.

    Raises:
        DataError: If it cannot be read or is damaged.
    """
    what = str(file)
    data = read_json(read_text(file, LARGEST_REPORT), what, DataError, largest=LARGEST_REPORT)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return None
    try:
        return TestReport(
            file=file,
            title=str(data["title"]),
            dataset=str(data["dataset"]),
            sample=data["sample"] is True,
            # Reports of former versions were written when they were complete.
            complete=data.get("complete", True) is True,
            unfinished=str(data.get("unfinished", "")),
            checkpoint=_optional(data.get("checkpoint")),
            checkpoint_hash=_optional(data.get("checkpoint_hash")),
            facts=_mapping(data.get("facts", {})),
            mean=_numbers(data["mean"]),
            missing={name: str(reason) for name, reason in _mapping(data["missing"]).items()},
            protocols={name: _mapping(item) for name, item in _mapping(data["protocols"]).items()},
            images=tuple(_image(entry) for entry in data["images"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{what} is no report of `realdeg test`: {type(error).__name__} {error}. Test the run"
            " again."
        ) from error


def _image(entry: Mapping[str, Any]) -> TestedImage:
    numbers = {name: entry[name] for name in entry if name not in ("key", "samples")}
    samples = entry["samples"]
    if type(samples) is not int or samples < 1:
        raise ValueError(f"'samples' is {samples!r:.40}, wanted 1 or more")
    return TestedImage(str(entry["key"]), samples, _numbers(numbers))


def _numbers(values: Any) -> dict[str, float]:
    """Return the numbers; JSON has infinity and NaN as strings."""
    found = {}
    for name, value in _mapping(values).items():
        if isinstance(value, str):
            value = float(value)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"'{name}' is {value!r:.40}, wanted a number")
        if not math.isnan(value):
            found[name] = float(value)
    return found


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"found {value!r:.40}, wanted an object")
    return value


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)
