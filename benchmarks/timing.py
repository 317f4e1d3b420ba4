"""Measure alternatives side by side: alternating in one process, medians, ratios, peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of one alternative: the median and the quartiles of its runs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median * 1e3:.1f} ms ({self.low * 1e3:.1f} to {self.high * 1e3:.1f})"


def alternate(
    alternatives: Mapping[str, Callable[[], object]], runs: int, device: str = "cpu"
) -> dict[str, Timing]:
    """Time every alternative in turn, run after run, so that drift hits all of them.

    The order is shuffled (by a fixed seed) in each run. Each counted call follows an uncounted one
    of the same alternative: the memory that another one gave back to the system would otherwise be
    billed to whichever comes next, at a few milliseconds for ten MiB.

    Args:
        alternatives: What to time, by name.
        runs: Counted runs of each.
        device: Waits for the GPU where it is ``"cuda"``.

    Returns:
        A timing for each name.
    """

    def once(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for function in alternatives.values():
        once(function)
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    order, shuffler = list(alternatives), random.Random(0)
    for _ in range(runs):
        shuffler.shuffle(order)
        for name in order:
            once(alternatives[name])
            seconds[name].append(once(alternatives[name]))
    return {name: _summary(values) for name, values in seconds.items()}


def _summary(values: Sequence[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)


def peak_bytes(function: Callable[[], object]) -> int:
    """Return how far one call raises this process's memory above what it holds before.

    Memory that earlier calls left to the allocator would hide the peak: call this in a fresh
    process (:func:`in_child`). What its start left there is given back before.
    """
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        raise SystemExit("peak memory is read from /proc, which this system lacks")
    gc.collect()
    with contextlib.suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    clear.write_text("5")  # resets the high-water mark
    before = _status("VmRSS")
    result = function()
    peak = _status("VmHWM") - before
    del result
    return peak


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def in_child(script: str, *arguments: str) -> int:
    """Run a script that prints one number last, in a fresh interpreter, and return the number."""
    done = subprocess.run(
        [sys.executable, script, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1])


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
