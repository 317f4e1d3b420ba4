"""Work on many items in several processes of one thread each.

On a machine that others use, two threads that wait for each other at every operation are slower
than one; two processes are not. Each item is one process's alone, so the results are those of one
process, whatever their number.
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
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import torch

from realdeg.errors import ConfigError

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h

_T = TypeVar("_T")


class WorkerDiedError(Exception):
    """A process ended in the middle of an item, killed by the system more often than not."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_jobs(jobs: int) -> int:
    """Return the number of processes, or refuse it.

    Args:
        jobs: How many are asked for.

    Raises:
        ConfigError: If it is no number from 1 to 1024.
    """
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= 1024:
        raise ConfigError(f"jobs is a number of processes from 1 to 1024, got {jobs!r:.40}.")
    return jobs


def work_on(
    items: Sequence[str], work: Callable[[str], _T], jobs: int = 1
) -> Iterator[tuple[str, _T | WorkerDiedError]]:
    """Do something to every item, in this process or in several.

    Args:
        items: The items.
        work: What to do; with more than one job it runs in processes forked from this one, so what
            it changes is not seen here, and its result is sent back.
        jobs: How many processes; 1 works in this one, and so does a system that cannot fork.

    Yields:
        Every item with its result, in the order in which they are finished; a
        ``WorkerDiedError`` where its process ended.

    Raises:
        Exception: Whatever the work raises.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1 or sys.platform != "linux":
        for item in items:
            yield item, work(item)
        return
    team: dict[Connection, tuple[multiprocessing.process.BaseProcess, str]] = {}
    waiting = list(reversed(items))
    try:
        while waiting or team:
            while waiting and len(team) < jobs:
                pipe, process = _hire(work)
                team[pipe] = (process, waiting.pop())
                pipe.send(team[pipe][1])
            ready = wait(list(team))
            for pipe in [pipe for pipe in team if pipe in ready]:
                process, item = team[pipe]
                try:
                    good, *results = pickle.loads(pipe.recv_bytes())  # from our own process
                except (EOFError, ConnectionResetError):
                    process.join()
                    pipe.close()
                    del team[pipe]
                    yield item, WorkerDiedError(_ending(process.exitcode))
                    continue
                if not good:
                    raise results[0] from results[1]
                yield item, results[0]
                if waiting:
                    team[pipe] = (process, waiting.pop())
                    pipe.send(team[pipe][1])
                else:
                    # Said, and not only closed: those who were forked later hold this end, too.
                    pipe.send(None)
                    process.join()
                    pipe.close()
                    del team[pipe]
    finally:
        for pipe, (process, _) in team.items():
            pipe.close()
            process.terminate()
        for process, _ in team.values():
            process.join()


def _hire(work: Callable[[str], Any]) -> tuple[Connection, multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        # Python warns of forking beside threads; what runs in the child starts none.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return ours, process


def _serve(work: Callable[[str], Any], pipe: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError, AttributeError):
        # A killed parent must not leave processes that still write into its folder.
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
        # The cause says whether a failed write concerns one file, and does not travel by itself.
        with suppress(Exception):
            packed = pickle.dumps((False, error, error.__cause__))
            pickle.loads(packed)
            return packed
        return pickle.dumps((False, RuntimeError(text), None))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            likely = "; memory ran out, most likely" if -code == signal.SIGKILL else ""
            return f"its process was ended by {name}{likely}."
    return f"its process ended with code {code}."
