"""Data-loading workers: keep them until the iteration is done, and explain how one ended."""

from __future__ import annotations

import mmap
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import queues, util
from types import FrameType
from typing import Any

import torch
from torch.utils.data import DataLoader

from realdeg.errors import DataError

GRACE = 30
"""Seconds that a worker survives a SIGTERM, for the main process to finish and save."""

_UNSENT = 74  # a worker's exit code when a batch could not be sent (EX_IOERR)
_SHARED_MEMORY = re.compile(r"unable to (allocate|open|resize|mmap)[^\n]*</?torch_[^\n]*")
ADVICE = (
    "Take fewer workers (train_dataloader.num_workers; 0 needs no shared memory), a smaller"
    " batch_size or cache_mb, or give /dev/shm more room (docker run --shm-size)"
)
"""What to do if data loading runs out of memory."""
_note = mmap.mmap(-1, 512)  # shared with workers that are forked later: why one of them exited


class PrepareWorker:
    """Prepares a worker for a run that may be interrupted; a ``worker_init_fn``.

    A signal to the whole process group (Ctrl-C in a terminal, a cluster's stop) must not end the
    workers before the iteration is finished. SIGTERM, by which Python ends its children, ends them
    at once only when the main process exits. Random numbers need no seed here: they derive from
    each sample's position.
    """

    def __init__(self) -> None:
        self._leaving = mmap.mmap(-1, 1)  # shared with workers that are forked later
        # Runs before multiprocessing terminates and joins its children.
        util.Finalize(self, _set, args=(self._leaving,), exitpriority=100)

    def __call__(self, worker_id: int) -> None:
        """Set a worker's signal handlers and threads."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # A batch is sent by a thread. The main process would not notice its error, and would wait
        # for that batch forever.
        queues.Queue._on_queue_feeder_error = staticmethod(_leave_unsent)  # type: ignore
        signal.signal(signal.SIGTERM, self._on_terminate)
        torch.set_num_threads(1)

    def _on_terminate(self, signum: int, frame: FrameType | None) -> None:
        if self._leaving[0]:
            os._exit(128 + signum)
        signal.alarm(GRACE)  # its default action ends the process

    def __getstate__(self) -> dict[str, Any]:
        return {}  # a spawned worker shares no memory: the alarm ends it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._leaving = mmap.mmap(-1, 1)


def _leave_unsent(error: Exception, batch: Any) -> None:
    text = f"{type(error).__name__}: {error}".encode()[: len(_note) - 1]
    _note[: len(text) + 1] = text + b"\0"
    os._exit(_UNSENT)


def worker_failure(error: BaseException) -> DataError | None:
    """Return an error that explains how a data-loading worker ended.

    Args:
        error: What torch raised, anywhere in the main process.

    Returns:
        The error; None if ``error`` has another cause.
    """
    if not isinstance(error, RuntimeError):
        return None
    text = str(error)
    if text.startswith("DataLoader worker (pid"):
        if unsent := _unsent():
            return unsent
        # Killed from outside, nearly always because the machine ran out of memory.
        return DataError(f"{_line(text)}. If memory or shared memory ran out: {ADVICE}.")
    if text.startswith("Too many open files. Communication with the workers"):
        return DataError(f"{_line(text)}.")
    found = _SHARED_MEMORY.search(text)
    if found:
        return DataError(f"a data-loading worker got no shared memory ({found[0]:.200}). {ADVICE}.")
    return None


def _unsent() -> DataError | None:
    note = bytes(_note).partition(b"\0")[0].decode(errors="replace")
    _note[:1] = b"\0"
    if not note:
        return None
    return DataError(f"a data-loading worker could not send a batch ({note}). {ADVICE}.")


@contextmanager
def ignoring_dead_workers() -> Iterator[None]:
    """Within the block, keep torch from raising errors about dead workers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, former)


def lost_worker(error: Exception, iterator: Any) -> DataError | None:
    """Return an error for a worker that ended before it sent its batch.

    Args:
        error: What torch raised while it waited for the batch.
        iterator: The data loader's iterator.

    Returns:
        The error; None if ``error`` came from the data, or every worker is alive.
    """
    if f"Caught {type(error).__name__} in DataLoader worker" in str(error):
        return None
    for worker in getattr(iterator, "_workers", []):
        worker.join(1)  # the connection may break before the process is gone
        if worker.exitcode is not None:
            if unsent := _unsent():
                return unsent
            code = worker.exitcode
            how = (
                f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            )
            return DataError(
                f"a data-loading worker (process {worker.pid}) was {how}. If memory or shared"
                f" memory ran out: {ADVICE}."
            )
    return None


def _line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return (lines[0] if lines else "")[:200].rstrip(".")


def _set(flag: mmap.mmap) -> None:
    flag[0] = 1


def stop_workers(loader: DataLoader[Any]) -> None:
    """End a loader's persistent workers now; it starts new ones when it is iterated again."""
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None
