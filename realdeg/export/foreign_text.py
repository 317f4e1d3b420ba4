"""Text from files of others on its way into a card: one line, and nothing but text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

LONGEST = 2000
"""Characters of one text; longer ones are cut."""

_DEEPEST, _MOST = 12, 1000
# What Markdown and HTML take for their own, outside of code.
_MARKS = re.compile(r"([\\`*_\[\]|])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def harmless(value: Any, depth: int = 0) -> Any:
    """Return data without control characters, lone surrogates and numbers that JSON has not.

    Args:
        value: Numbers, texts, lists and dicts, as a file's notes are.
        depth: How deep it lies; what is deeper than any note is left out.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEPEST:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST]
        return {harmless(str(key)): harmless(each, depth + 1) for key, each in items}
    if isinstance(value, list | tuple):
        return [harmless(each, depth + 1) for each in value[:_MOST]]
    text = "".join(c if c.isprintable() else " " for c in str(value)[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def prose(value: Any) -> str:
    """Return a text of others as Markdown that looks like it and does nothing.

    Args:
        value: The text, or a number.
    """
    text = str(harmless(value))
    if re.fullmatch(r"https?://[\w./~%#?=&+:@,-]+", text):
        return text  # escaped underscores would break an address
    text = "".join(_ENTITIES.get(character, character) for character in text)
    return _MARKS.sub(r"\\\1", text)


def code(value: Any) -> str:
    """Return a text of others as Markdown's code.

    Args:
        value: The text.
    """
    return f"`{str(harmless(value)).replace('`', chr(39))}`"
