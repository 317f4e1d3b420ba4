"""The progress bar of commands, tests, downloads and the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console


Shown: TypeAlias = bool | Literal["terminal"]
"""Whether there is a bar; ``"terminal"``: only on a terminal, and removed at the end."""


class Advance(Protocol):
    """Shows how much is done, of how much, and a note."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Update the bar."""


@contextmanager
def progress_bar(
    text: str,
    total: int | None = None,
    *,
    shown: Shown = True,
    unit: Literal["items", "bytes"] = "items",
    console: Console | None = None,
) -> Iterator[Advance]:
    """Show a bar on stderr while the block runs.

    Args:
        text: The label.
        total: How much there is to do; None while unknown.
        shown: Whether there is a bar.
        unit: What is counted.
        console: Where to draw instead of stderr.

    Yields:
        The function to call with what is done so far.
    """
    if not shown:
        yield _ignore
        return
    from rich import progress
    from rich.console import Console

    place = Console(stderr=True) if console is None else console
    if shown == "terminal" and not place.is_terminal:
        yield _ignore
        return
    amount = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn())
        if unit == "bytes"
        else (progress.MofNCompleteColumn(), progress.TaskProgressColumn())
    )
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *amount,
        progress.TextColumn("{task.fields[note]}"),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with progress.Progress(*columns, console=place, transient=shown == "terminal") as bar:
        task = bar.add_task(text, total=total, note="")

        def advance(done: int, total: int | None = None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance


def _ignore(done: int, total: int | None = None, note: str = "") -> None:
    pass
