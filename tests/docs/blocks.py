"""Finds the code of a Markdown page, and what its author says about running it.

An HTML comment right above a block, which readers do not see, may say::

    <!-- docs: skip REASON -->          not run, and why
    <!-- docs: with WORDS -->           words added to each of its realdeg commands
    <!-- docs: config RECIPE -->        a fragment of a config: checked on top of that recipe
    <!-- docs: output -->               what a program printed, not a command

Python whose first line is ``# name.py`` is written to that file; other Python is executed, in one
namespace for the page. In blocks without a language the lines that begin with a known program are
commands, the others output.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("realdeg", "python", "torchrun", "make", "pip", "git", "cd")
_BLOCK = re.compile(
    r"(?:^<!-- docs: (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    note: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block is, if its first line names one."""
        named = re.match(r"# ([\w/]+\.(?:py|json|yaml))\b", self.text)
        return named[1] if named else None

    def noted(self, word: str) -> str | None:
        """Return what the comment above says after ``word``; None if it does not begin so."""
        return self.note[len(word) :].strip() if self.note.split(" ")[0] == word else None

    def commands(self) -> list[list[str]]:
        """Return the commands, as words, with the variables that stand before the program."""
        found = []
        for line in re.sub(r"\\\n\s*", " ", self.text).splitlines():
            text = line.strip().removeprefix("$ ")
            words = text.split()
            while words and _ASSIGNMENT.match(words[0]):
                words = words[1:]
            if words and words[0] in PROGRAMS:
                found.append(shlex.split(text, comments=True))
        return found


def blocks_of(page: Path, name: str) -> list[Block]:
    """Return the blocks of a page in order.

    Args:
        page: The Markdown file.
        name: What messages call it.
    """
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        line = text[: match.start("language")].count("\n") + 1
        found.append(
            Block(name, line, match["language"], (match["note"] or "").strip(), match["text"])
        )
    return found
