"""What a page shows as output, compared with what is printed: words as they are, any numbers."""

from __future__ import annotations

import re
from pathlib import Path

_HASH = re.compile(r"\b[0-9a-f]{16,64}\b")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?")
_TIME = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def masked(text: str) -> str:
    """Return a text on one line, without times, and with any number, hash or home alike."""
    text = _TIME.sub("", _COLOUR.sub("", text)).replace("/home/me/.cache/realdeg", "HOME")
    return " ".join(_NUMBER.sub("#", _HASH.sub("#", text)).split())


def missing(shown: str, printed: str, home: Path) -> list[str]:
    """Return what a page shows and no command printed; ``...`` stands for anything.

    Args:
        shown: The page's output.
        printed: The output of the commands.
        home: The folder that the page calls /home/me/.cache/realdeg.
    """
    there = masked(printed.replace(str(home), "HOME"))
    parts = [masked(part) for part in shown.split("...")]
    return [part for part in parts if part not in there]
