"""Read JSON that comes from a file: bounded in size and depth, finite, refused in a sentence."""

from __future__ import annotations

import json
import math
from typing import Any

from realdeg.errors import RealdegError, first_line

LARGEST_TEXT = 1 << 23
"""Characters of a description unless a caller says otherwise: Python makes up to 50 times the bytes
of them."""
DEEPEST = 64
"""Lists and objects inside each other; a config has 10."""


def read_json(
    text: str,
    what: str,
    error: type[RealdegError],
    *,
    largest: int = LARGEST_TEXT,
    finite: bool = True,
) -> Any:
    """Read a JSON text.

    Args:
        text: The text.
        what: The thing and its place, which begins the message: ``"the arguments inside x"``.
        error: What is raised.
        largest: The most characters.
        finite: Refuse ``NaN``, ``Infinity`` and numbers like 1e999, which no JSON has; else they
            are read as None.

    Returns:
        Dicts, lists, texts, finite numbers, True, False and None.

    Raises:
        RealdegError: Of the kind asked for, if it is no such text.
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
            raise ValueError(f"{written[:40]} is no finite number")
        return None

    try:
        value = json.loads(text, parse_constant=number, parse_float=number)
        if "\\ud" in text.lower():  # halves of characters cannot be written anywhere again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as cause:
        raise error(f"{what} is no readable JSON ({first_line(cause)}): it is damaged.") from cause
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
