"""Finds the code of a Markdown page, and what its author says about running it.

HTML comments right above a block, which readers do not see, may say::

    <!-- docs: skip REASON -->          neither run nor read, and why
    <!-- docs: parse REASON -->         not run, and why; the command line, its recipes and their
                                        options are checked all the same
    <!-- docs: offline REASON -->       run up to the download, which is the only thing it lacks
    <!-- docs: with WORDS -->           words added to each of its realdeg commands
    <!-- docs: short -->                Python that trains: two iterations of a tiny network
    <!-- docs: config RECIPE [KEY=VALUE ...] -->
                                        a fragment of a config: checked on top of that recipe
    <!-- docs: output REASON -->        what a program once printed, compared with nothing
    <!-- docs: printed -->              what the commands further up print
    <!-- docs: after COMMAND -->        what this command prints, which the page does not show
    <!-- docs: fails -->                the last command ends with a mistake, in these words
    <!-- docs: unlike REASON -->        the commands run, their output is not compared

Python whose first line is ``# name.py`` is that file; other Python is executed, in one namespace
for the page. In blocks without a language the lines that begin with a known program are commands.
Where a block shows a prompt (``$``), its other lines are what they print: numbers may differ.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("realdeg", "python", "torchrun", "make", "pip", "git", "cd")
NOTES = (
    *("skip", "parse", "offline", "with", "short", "config", "output"),
    *("printed", "after", "fails", "unlike"),
)
_NOTE = re.compile(r"^<!-- docs: (?P<word>\w+) ?(?P<rest>[^\n]*?) ?-->$", re.MULTILINE)
_BLOCK = re.compile(
    r"(?P<notes>(?:^<!-- docs: [^\n]*-->\n)*)"
    r"^```(?P<site>\{\w+\})?(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"(?<!`)`(?!`)([^`]+)`(?!`)")
_ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    notes: dict[str, str]
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

    def lines(self) -> list[str]:
        """Return the lines, those that a backslash continues joined with the next."""
        return re.sub(r"\\\n\s*", " ", self.text).splitlines()

    def commands(self) -> list[list[str]]:
        """Return the commands, as words, with the variables that stand before the program."""
        found = [words_of(self.notes["after"])] if "after" in self.notes else []
        for line in self.lines():
            words = words_of(line.strip().removeprefix("$ "))
            if words:
                found.append(words)
        return found

    def printed(self) -> str:
        """Return what is shown as the commands' output."""
        if not {"printed", "after", "fails"} & set(self.notes) and not self.text.startswith("$ "):
            return ""
        lines = self.lines()
        return "\n".join(
            line for line in lines if not line.startswith("$ ") and not words_of(line.strip())
        )


def words_of(line: str) -> list[str]:
    """Return the words of a command; none if the line does not begin with a known program."""
    words = line.split()
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    return shlex.split(line, comments=True) if words and words[0] in PROGRAMS else []


def blocks_of(page: Path, name: str) -> list[Block]:
    """Return the blocks of a page in order.

    Args:
        page: The Markdown file.
        name: What messages call it.
    """
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        if match["site"]:  # a table of contents or the like, read by the site alone
            continue
        line = text[: match.start("language")].count("\n") + 1
        notes = {note["word"]: note["rest"] for note in _NOTE.finditer(match["notes"])}
        found.append(Block(name, line, match["language"], notes, match["text"]))
    return found


def prose_of(page: Path) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def inline_of(page: Path) -> list[str]:
    """Return what stands in backticks in a page's prose."""
    return [" ".join(found.split()) for found in _INLINE.findall(prose_of(page))]
