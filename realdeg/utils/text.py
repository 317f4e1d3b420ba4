"""Text for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape every character that a terminal would not print."""
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
