"""Data-loading workers that stay until the iteration is done, and not longer."""

from __future__ import annotations

import mmap
import os
import signal
from multiprocessing import util
from types import FrameType
from typing import Any

import torch
from torch.utils.data import DataLoader

GRACE = 30
"""Seconds that a worker outlives a SIGTERM, for the main process to finish and save."""


class PrepareWorker:
    """Makes a worker fit for a run that may be interrupted; a ``worker_init_fn``.

    A signal to the whole group (Ctrl-C in a terminal, a cluster's stop) must not take the workers
    away under the iteration that is to be finished. Only when the main process leaves does
    SIGTERM, by which Python ends its children, end them at once. Random numbers need no seed here:
    they derive from each sample's position.
    """

    def __init__(self) -> None:
        self._leaving = mmap.mmap(-1, 1)  # shared with the workers that are forked later
        # Runs before multiprocessing terminates and joins its children.
        util.Finalize(self, _set, args=(self._leaving,), exitpriority=100)

    def __call__(self, worker_id: int) -> None:
        """Set a worker's signal handlers and threads."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def _set(flag: mmap.mmap) -> None:
    flag[0] = 1


def stop_workers(loader: DataLoader) -> None:
    """End a loader's persistent workers now rather than at the end of the process.

    Args:
        loader: A data loader; it starts new workers when it is iterated again.
    """
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None
