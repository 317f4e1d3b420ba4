"""Benchmark alternatives side by side: alternating runs, medians and peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from realdeg.utils.tables import markdown_table


@dataclass(frozen=True)
class Timing:
    """Median and quartiles of the runs of one alternative, in seconds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median * 1e3:.1f} ms ({self.low * 1e3:.1f} to {self.high * 1e3:.1f})"


def alternate(
    alternatives: Mapping[str, Callable[[], object]],
    runs: int,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time all alternatives in turn, run after run, so that drift affects them equally.

    The order is shuffled with a fixed seed in each run. An uncounted call of the same alternative
    precedes each counted one. Otherwise the next call would pay for memory that another one
    returned to the system, a few milliseconds for 10 MiB.

    Args:
        alternatives: Functions by name.
        runs: Counted runs of each.
        device: ``"cuda"`` waits for the GPU.
        clock: Seconds; ``time.process_time`` leaves out what other programs take of the machine.
    """

    def once(function: Callable[[], object]) -> float:
        start = clock()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        return clock() - start

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
    """Return by how many bytes one call raises the peak memory of this process.

    Call it in a fresh process (:func:`in_child`): memory that earlier calls left to the allocator
    would hide the peak.
    """
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        raise SystemExit("peak memory is read from /proc, which this system does not have")
    gc.collect()
    with contextlib.suppress(AttributeError):  # a C library other than glibc
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


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table of any cells."""
    return "\n".join(markdown_table(header, ([str(cell) for cell in row] for row in rows)))
