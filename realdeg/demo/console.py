"""Terminal output of the demo: numbered steps, results, and a progress bar for training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console

from realdeg.utils.progress import progress_bar

Advance = Callable[[int, float], None]


class Steps:
    """Prints numbered headings with the elapsed time.

    Args:
        total: The number of steps.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.console = Console(highlight=False, soft_wrap=True)
        self._start = time.monotonic()

    def heading(self, text: str) -> None:
        """Start a step."""
        self.done += 1
        seconds = int(time.monotonic() - self._start)
        self.console.print(
            f"\n[bold]Step {self.done} of {self.total}: {text}[/bold]"
            f"  [dim]{seconds // 60}:{seconds % 60:02d}[/dim]"
        )

    def say(self, text: str) -> None:
        """Print a result."""
        self.console.print(f"  {text}", markup=False)

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Advance]:
        """Show a progress bar, or without a terminal a line at every quarter.

        Yields:
            A function to call with the iterations done and the loss.
        """
        with progress_bar(f"  {text}", total, shown="terminal", console=self.console) as advance:

            def report(done: int, loss: float) -> None:
                advance(done, note=f"loss {loss:.2e}")
                if not self.console.is_terminal:
                    self._line(text, done, total, loss)

            yield report

    def _line(self, text: str, done: int, total: int, loss: float) -> None:
        if done * 4 // total > (done - 1) * 4 // total:
            self.say(f"{text}: {done} of {total}, loss {loss:.2e}")


class AdvanceHook(Hook):
    """Reports the progress of training to a bar.

    Args:
        advance: Called with the iterations done and the loss.
    """

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._loss: float | None = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Report one iteration."""
        loss = outputs["loss"].item() if isinstance(outputs, dict) else float("nan")
        # Losses of single batches are too noisy to show a trend.
        self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        self._advance(runner.iter + 1, self._loss)
