"""Text on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with everything escaped that a terminal would not show as a letter."""
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
