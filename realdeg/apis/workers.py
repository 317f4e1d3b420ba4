"""Process many items in several single-threaded processes.

On a busy machine, two threads that wait for each other at every operation are slower than one; two
processes are not. Each item is processed by one process alone, so the results do not depend on the
number of processes.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import torch

from realdeg.errors import ConfigError

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h

_T = TypeVar("_T")


class WorkerDiedError(Exception):
    """A process ended in the middle of an item, usually killed by the system."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_jobs(jobs: int) -> int:
    """Return the number of processes.

    Raises:
        ConfigError: If it is not an integer from 1 to 1024.
    """
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= 1024:
        raise ConfigError(f"jobs must be a number of processes from 1 to 1024, got {jobs!r:.40}.")
    return jobs


@contextmanager
def threads_of_torch(number: int) -> Iterator[None]:
    """Let torch compute with a number of threads during the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def process_items(
    items: Sequence[str], work: Callable[[str], _T], jobs: int = 1
) -> Iterator[tuple[str, _T | WorkerDiedError]]:
    """Apply a function to every item, in this process or in several.

    Args:
        items: The items.
        work: The function. With several jobs it runs in forked processes: its side effects stay
            there, and its result is sent back.
        jobs: Number of processes. 1, or a system that cannot fork: this process.

    Yields:
        Every item with its result as they finish, or a ``WorkerDiedError`` if its process ended.

    Raises:
        Exception: Whatever the function raises.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1 or sys.platform != "linux":
        for item in items:
            yield item, work(item)
        return
    workers: dict[Connection, tuple[multiprocessing.process.BaseProcess, str]] = {}
    waiting = list(reversed(items))
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                pipe, process = _start_worker(work)
                workers[pipe] = (process, waiting.pop())
                pipe.send(workers[pipe][1])
            ready = wait(list(workers))
            for pipe in [pipe for pipe in workers if pipe in ready]:
                process, item = workers[pipe]
                try:
                    good, *results = pickle.loads(pipe.recv_bytes())  # from our own process
                except (EOFError, ConnectionResetError):
                    process.join()
                    pipe.close()
                    del workers[pipe]
                    yield item, WorkerDiedError(_describe_exit(process.exitcode))
                    continue
                if not good:
                    raise results[0] from results[1]
                yield item, results[0]
                if waiting:
                    workers[pipe] = (process, waiting.pop())
                    pipe.send(workers[pipe][1])
                else:
                    # Closing is not enough: workers that were forked later hold this end as well.
                    pipe.send(None)
                    process.join()
                    pipe.close()
                    del workers[pipe]
    finally:
        for pipe, (process, _) in workers.items():
            pipe.close()
            process.terminate()
        for process, _ in workers.values():
            process.join()


def _start_worker(
    work: Callable[[str], Any],
) -> tuple[Connection, multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        # Python warns of forking with threads; the child starts none.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return ours, process


def _serve(work: Callable[[str], Any], pipe: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it as well and ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError, AttributeError):
        # A killed parent must not leave processes that write to its folder.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    torch.set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        if item is None:
            return
        pipe.send_bytes(_answer(work, item))


def _answer(work: Callable[[str], Any], item: str) -> bytes:
    try:
        return pickle.dumps((True, work(item)))
    except Exception as error:
        text = traceback.format_exc()
        # The cause tells whether a failed write concerns one file; pickle does not keep it.
        with suppress(Exception):
            packed = pickle.dumps((False, error, error.__cause__))
            pickle.loads(packed)
            return packed
        return pickle.dumps((False, RuntimeError(text), None))


def _describe_exit(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            likely = "; memory probably ran out" if -code == signal.SIGKILL else ""
            return f"its process was ended by {name}{likely}."
    return f"its process ended with code {code}."
