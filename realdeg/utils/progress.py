"""How far something is: the one bar of the commands, the tests, the downloads and the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console


Shown: TypeAlias = bool | Literal["terminal"]
"""Whether there is a bar; ``"terminal"``: only where somebody watches, and while it moves."""


class Advance(Protocol):
    """Is told how much is done, of how much, and what else is to be said."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show it."""


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
        text: What is going on.
        total: How much there is to do; None: not known yet.
        shown: Whether there is a bar.
        unit: What is counted.
        console: Where to draw instead.

    Yields:
        To be called with what is done so far.
    """
    if not shown:
        yield _say_nothing
        return
    from rich import progress
    from rich.console import Console

    place = Console(stderr=True) if console is None else console
    if shown == "terminal" and not place.is_terminal:
        yield _say_nothing
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


def _say_nothing(done: int, total: int | None = None, note: str = "") -> None:
    pass
