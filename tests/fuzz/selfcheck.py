"""Cases with a known end, one for each kind of outcome: the harness has to notice every one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from realdeg.errors import DataError
from tests.fuzz.harness import CANARY, Case


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield the cases; seed and count do not matter.

    Args:
        seed: Not used.
        count: Not used.
    """
    del seed, count
    yield Case("done", ("list", "losses"))
    yield Case("refused", ("list", "nothing-of-that-name"))
    yield Case("refused by the interface", call=_refuse)
    yield Case("usage", ("degrade",))
    yield Case("ran: process", call=lambda folder: os.system("true"))
    yield Case("ran: import", call=lambda folder: import_module(CANARY))
    yield Case("ran: changed outside", call=_change_outside)
    yield Case("ran: wrote elsewhere", call=_write_elsewhere)
    yield Case("memory: allocates", call=lambda folder: len(bytearray(600_000_000)))
    yield Case("hung: sleeps", call=lambda folder: time.sleep(60))
    yield Case("crashed: signal", call=lambda folder: os.kill(os.getpid(), 11))
    yield Case("crashed: traceback", call=lambda folder: {}["missing"])
    yield Case("crashed: silent", call=lambda folder: os._exit(0))
    yield Case("unclear: two sentences", call=_refuse_twice)


def _refuse(folder: Path) -> None:
    raise DataError("refused.")


def _refuse_twice(folder: Path) -> None:
    print("error: refused.", file=sys.stderr)
    _refuse(folder)


def _change_outside(folder: Path) -> None:
    (folder.parent / "outside" / "sentinel").write_text("changed")


def _write_elsewhere(folder: Path) -> None:
    (folder.parents[1] / "elsewhere").write_text("written")
