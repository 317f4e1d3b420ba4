"""Sanitise text from third-party files for a model card."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

LONGEST = 2000
"""Characters of one string; longer ones are cut."""

_DEEPEST, _MOST = 12, 1000
# What Markdown interprets outside code.
_MARKS = re.compile(r"([\\`*_\[\]|])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def sanitised(value: Any, depth: int = 0) -> Any:
    """Return data without control characters, lone surrogates, NaN and infinity.

    Args:
        value: Numbers, strings, lists and dicts, as in the notes of a file.
        depth: Nesting depth; deeply nested values are dropped.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEPEST:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST]
        return {sanitised(str(key)): sanitised(each, depth + 1) for key, each in items}
    if isinstance(value, list | tuple):
        return [sanitised(each, depth + 1) for each in value[:_MOST]]
    text = "".join(c if c.isprintable() else " " for c in str(value)[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def prose(value: Any) -> str:
    """Return third-party text as Markdown that shows it literally.

    Args:
        value: A string or a number.
    """
    text = str(sanitised(value))
    if re.fullmatch(r"https?://[\w./~%#?=&+:@,-]+", text):
        return text  # escaped underscores would break a URL
    text = "".join(_ENTITIES.get(character, character) for character in text)
    return _MARKS.sub(r"\\\1", text)


def code(value: Any) -> str:
    """Return third-party text as Markdown code."""
    return f"`{str(sanitised(value)).replace('`', chr(39))}`"
