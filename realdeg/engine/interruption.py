"""Ctrl-C, SIGTERM and a lost terminal: finish the iteration, save, exit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Records within its ``with`` block whether the run was asked to stop.

    A second Ctrl-C stops at once. Outside the main thread, where Python allows no signal handlers,
    nothing is recorded.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._former: dict[int, Any] = {}
        self._process = 0

    @property
    def requested(self) -> bool:
        """Whether a signal was received."""
        return self.signum is not None

    def __enter__(self) -> Interruption:
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            # A signal that was ignored before (by nohup, for instance) must not end the run.
            handled = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
            self._former = {number: signal.signal(number, self._handle) for number in handled}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not in a data-loading worker that was forked inside the block.
        if os.getpid() == self._process:
            for number, handler in self._former.items():
                signal.signal(number, handler)
        self._former = {}

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return
        if self.signum is None:
            self.signum = signum
        # torchrun follows a Ctrl-C with SIGTERM, which must wait. A second Ctrl-C is a person's.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def leave(self) -> SystemExit:
        """Return the exception that ends the process with 128 + the signal's number."""
        if self.signum == signal.SIGHUP:
            _write_nowhere()
        return SystemExit(128 + (self.signum or signal.SIGTERM))

    def name(self) -> str:
        """Return the signal's name."""
        return signal.Signals(self.signum).name if self.signum else "another process's signal"


def _write_nowhere() -> None:
    # Where the terminal is gone, Python's last flush would fail and change the exit code.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            try:
                os.dup2(nowhere, stream.fileno())
            except (OSError, ValueError):
                pass
    os.close(nowhere)
