"""The progress bar of commands, tests, downloads and the demo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
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
    left: bool = True,
    console: Console | None = None,
) -> Iterator[Advance]:
    """Show a bar on stderr while the block runs.

    Args:
        text: The label.
        total: How much there is to do; None while unknown.
        shown: Whether there is a bar.
        unit: What is counted.
        left: Whether the time left is estimated from what is counted; or else the time since the
            start is shown, and notes may say more (:class:`Pace`).
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
        progress.TimeRemainingColumn(elapsed_when_finished=True)
        if left
        else progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=place, transient=shown == "terminal") as bar:
        task = bar.add_task(text, total=total, note="")

        def advance(done: int, total: int | None = None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance


class Pace:
    """Megapixels per second and the time left, as a note of a bar.

    Images differ in size, and those of an earlier run take no time, so their number tells little
    about the time left.

    Args:
        sizes: Megapixels by image; 0 where unknown.
        clock: Returns seconds.

    Examples:
        >>> seconds = iter([0.0, 8.0])
        >>> pace = Pace({"a": 12.0, "b": 24.0}, clock=lambda: next(seconds))
        >>> pace.finish("a")
        >>> pace.note()
        '1.5 MP/s, 0:00:16 left'
    """

    def __init__(
        self, sizes: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._left, self._clock = dict(sizes), clock
        self._began, self._done = clock(), 0.0

    def finish(self, name: str, counts: bool = True) -> None:
        """Count an image.

        Args:
            name: The image.
            counts: Whether it was made in this run.
        """
        size = self._left.pop(name, 0.0)
        self._done += size if counts else 0.0

    def note(self, name: str = "", share: float = 0.0) -> str:
        """Return the note; empty while nothing is known.

        Args:
            name: The image that is being made.
            share: Its share that is done already, 0 to 1.
        """
        part = share * self._left.get(name, 0.0)
        done, left = self._done + part, sum(self._left.values()) - part
        seconds = self._clock() - self._began
        if not done > 0 < seconds:
            return ""
        rate = f"{done / seconds:.3g} MP/s"
        return f"{rate}, {_clock_time(seconds * left / done)} left" if left > 0 else rate


class Ticker:
    """Passes on which share of an image is done while a function works on it.

    Attributes:
        show: Called with the image's name and the share, 0 to 1; None: nobody wants to know.
    """

    def __init__(self) -> None:
        self.show: Callable[[str, float], object] | None = None

    def of(self, name: str) -> Callable[[int, int], None]:
        """Return the function to call with what is done of an image, and of how much."""

        def tell(done: int, total: int) -> None:
            if self.show is not None:
                self.show(name, done / max(total, 1))

        return tell


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _ignore(done: int, total: int | None = None, note: str = "") -> None:
    pass
