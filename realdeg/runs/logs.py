"""The curves and the log of a run's sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from realdeg.errors import DataError
from realdeg.runs.record import Curve, Session
from realdeg.runs.text import read_text
from realdeg.utils.files import open_regular
from realdeg.utils.plain_json import read_json

SCALARS = "scalars.json"
LARGEST_SCALARS = 1 << 26
"""The most bytes of a session's curves: some 400,000 lines."""
_LONGEST_LINE = 1 << 16
_HEAD, _TAIL = 1 << 16, 1 << 16
_MOST_LABELS = 1000
_LARGEST_VALUE = 10**300  # whole numbers of JSON may be too large for a float
_STAMP, _WRITTEN = "%Y%m%d_%H%M%S", "%Y/%m/%d %H:%M:%S"
_TIME = re.compile(r"^(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) - ", re.MULTILINE)
_OF_THE_RUN = ("env_cfg", "randomness", "seed")  # of the run, not of the machine
_FACT = re.compile(r"^    ([\w][\w -]{0,40}): (.{0,300})$", re.MULTILINE)
_WROTE = re.compile(r" - wrote \S.*\.safetensors$", re.MULTILINE)


def read_curves(folders: Sequence[Path]) -> dict[str, Curve]:
    """Read what the sessions of a run logged.

    A session that was continued may have logged iterations that its last checkpoint did not have;
    the next session repeats them, and its numbers count.

    Args:
        folders: The folders ``vis_data`` of the sessions, oldest first.

    Returns:
        The curves by label, ``"train/loss"``.

    Raises:
        DataError: If a file is damaged or too large.
    """
    found: dict[str, dict[int, float]] = {}
    for folder in folders:
        points = _read_scalars(folder / SCALARS)
        if not points:
            continue
        began = min(step for step, _, _ in points)
        for values in found.values():
            for step in [step for step in values if step >= began]:
                del values[step]
        for step, name, value in points:
            if name not in found and len(found) == _MOST_LABELS:
                raise DataError(
                    f"{folder / SCALARS} has more than {_MOST_LABELS} labels: no run does."
                )
            found.setdefault(name, {})[step] = value
    return {
        name: Curve(tuple(sorted(values)), tuple(values[step] for step in sorted(values)))
        for name, values in found.items()
        if values
    }


def _read_scalars(file: Path) -> list[tuple[int, str, float]]:
    """Return iteration, label and value of each number; values that are not finite are left out."""
    if not file.exists():  # ended before its first iteration
        return []
    points: list[tuple[int, str, float]] = []
    lines = read_text(file, LARGEST_SCALARS).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        what = f"line {number} of {file}"
        try:
            entry = read_json(line, what, DataError, largest=_LONGEST_LINE, finite=False)
        except DataError:
            if number == len(lines):  # the machine stopped while it was written
                break
            raise
        step = entry.get("step") if isinstance(entry, dict) else None
        if type(step) is not int or step < 0:
            raise DataError(f"{what} states no iteration ('step'): it is damaged.")
        points += [
            (step, name, float(value))
            for name, value in entry.items()
            if name != "step" and type(value) in (int, float) and abs(value) < _LARGEST_VALUE
        ]
    return points


def read_session(log: Path, name: str) -> Session:
    """Read when a session began and ended, and where it ran.

    Args:
        log: Its log, which may be missing.
        name: The name of its folder, which begins with ``20260131_235959``.
    """
    started = _time(name[:15], _STAMP)
    try:
        with open_regular(log) as stream:
            head = stream.read(_HEAD).decode("utf-8", "replace")
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _TAIL))
            tail = stream.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return Session(name, started)
    times = _TIME.findall(tail)
    return Session(
        name,
        started,
        ended=_time(times[-1], _WRITTEN) if times else None,
        environment=_environment(head),
        ended_well=bool(_WROTE.search(tail)),
    )


def _environment(head: str) -> dict[str, str]:
    _, found, after = head.partition("Environment:")
    block = after.partition(" - INFO - ")[0] if found else ""
    return {name: text for name, text in _FACT.findall(block) if name not in _OF_THE_RUN}


def _time(text: str, written: str) -> datetime | None:
    try:
        return datetime.strptime(text, written)
    except ValueError:
        return None
