"""Untrusted JSON, limited in size, depth and to finite numbers."""

from __future__ import annotations

import json
import math
from typing import Any

from realdeg.errors import RealdegError, first_line

LARGEST_TEXT = 1 << 23
"""The most characters by default; Python may need 50 times as many bytes."""
DEEPEST = 64
"""How deeply lists and objects may be nested; a config has 10 levels."""


def read_json(
    text: str,
    what: str,
    error: type[RealdegError],
    *,
    largest: int = LARGEST_TEXT,
    finite: bool = True,
) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.
        what: The start of an error message: ``"the arguments inside x"``.
        error: The class to raise.
        largest: The most characters.
        finite: Refuse ``NaN``, ``Infinity`` and numbers such as 1e999; otherwise they become None.

    Returns:
        Plain data.

    Raises:
        RealdegError: As ``error`` says, if the text is not such JSON.
    """
    if len(text) > largest:
        raise error(
            f"{what} is {len(text)} characters long, at most {largest} are read: the file is"
            " damaged or hostile."
        )

    def number(written: str) -> float | None:
        value = float(written)
        if math.isfinite(value):
            return value
        if finite:
            raise ValueError(f"{written[:40]} is not a finite number")
        return None

    try:
        value = json.loads(text, parse_constant=number, parse_float=number)
        if "\\ud" in text.lower():  # lone surrogates could not be written again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as cause:
        raise error(f"{what} is not readable JSON ({first_line(cause)}): it is damaged.") from cause
    if not _is_flat(value):
        raise error(f"{what} is nested more than {DEEPEST} deep: the file is damaged or hostile.")
    return value


def _is_flat(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for holder in level
            if isinstance(holder, list | dict)
            for item in (holder if isinstance(holder, list) else holder.values())
        ]
        if not level:
            return True
    return False
