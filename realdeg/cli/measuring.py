"""A test's report, written while the numbers come in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from realdeg.cli.common import rank
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, OutputError, RealdegError, first_line
from realdeg.evaluation import Report

# Writing takes no more than this share of the time of a test.
_SHARE = 0.05


class ReportHook(Hook):
    """Keeps a report up to date during a test, so that whatever ends it, what was measured stays.

    ``report.json`` and ``report.md`` are replaced whole, after the first image and then after
    each one, or less often where images are measured faster than files are written. Until the
    end they are marked as unfinished.

    Args:
        head: Makes the report's head, once the weights are there.
        folder: Where the report is written.
    """

    priority = "LOWEST"

    def __init__(self, head: Callable[[RealdegRunner], Report], folder: Path) -> None:
        self.head, self.folder = head, folder
        self.report: Report | None = None
        self._seen: list[int] = []
        self._total = 0
        self._next = 0.0
        self._written = False

    def before_test(self, runner: Any) -> None:
        """Make the head, and refuse what could not be written in the end."""
        loop = runner.test_loop
        self._total = len(loop.dataloader.dataset)
        self._seen = [0] * len(loop.evaluator.metrics)
        self.report = self.head(runner)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Take over what the metrics found in the batch."""
        if rank() != 0 or self.report is None:
            return
        for number, metric in enumerate(runner.test_loop.evaluator.metrics):
            results = getattr(metric, "results", [])
            for scores in results[self._seen[number] :]:
                # A metric from elsewhere keeps what it likes.
                if hasattr(scores, "key") and callable(getattr(scores, "mean", None)):
                    self.report.add_image(scores, getattr(metric, "prefix", None) or "")
            self._seen[number] = len(results)
        if time.monotonic() >= self._next:
            self._write(f"{self._progress()} when this was written.")

    def finish(self, runner: RealdegRunner, after: Callable[[Report], None]) -> Report:
        """Add the means and write the report.

        Args:
            runner: The runner, its test done.
            after: Adds what else is to be measured; the means are on disk before it is called.

        Returns:
            The report.
        """
        loop: Any = runner.test_loop
        assert self.report is not None
        for metric in loop.evaluator.metrics:
            if hasattr(metric, "averages"):
                self.report.add(metric)
        self._write("all images are measured; further numbers were to come when this was written.")
        after(self.report)
        self.report.unfinished = ""
        return self.report

    def give_up(self, runner: RealdegRunner, reason: str) -> str:
        """Keep what was measured before a test ended early.

        Args:
            runner: Its evaluator holds what was measured.
            reason: Why it ended.

        Returns:
            A sentence that says what was kept; empty where nothing had been measured.
        """
        if rank() != 0 or self.report is None or not self.report.images:
            return ""
        loop: Any = runner.test_loop
        for metric in loop.evaluator.metrics:
            if getattr(metric, "averages", None):
                try:
                    self.report.add(metric)
                except ConfigError:  # it is there already
                    continue
        try:
            self._write(f"{self._progress()}, then the test ended: {reason}")
        except OutputError:
            if not self._written:
                return ""
        return f"{self._progress()}: kept in {self.folder / 'report.md'}, marked as incomplete."

    def _progress(self) -> str:
        count = len(self.report.images) if self.report is not None else 0
        return f"{count} of {self._total} images are measured"

    def _write(self, unfinished: str) -> None:
        assert self.report is not None
        self.report.unfinished = unfinished
        start = time.monotonic()
        self.report.write(self.folder)
        self._written = True
        end = time.monotonic()
        self._next = end + (end - start) / _SHARE


def why(error: BaseException) -> str:
    """Say in one sentence what ended a test.

    Args:
        error: What was raised.
    """
    if isinstance(error, KeyboardInterrupt):
        return "interrupted."
    if isinstance(error, RealdegError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"
