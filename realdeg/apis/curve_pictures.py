"""The curves of a run as a picture in its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from realdeg.runs import RunRecord
from realdeg.visualization.curves import run_curves

CURVES = "curves.png"
_LAST = ("lr", "data_time", "time", "memory")
_NAMES = {
    "lr": "learning rate",
    "time": "s per iteration",
    "data_time": "s per iteration for data",
    "memory": "memory, MiB",
}
# Fewer points are no curve; more panels, of losses of many terms, are no picture.
_FEWEST, _MOST_PANELS = 3, 12


def draw_curves(runs: Sequence[RunRecord], path: str | os.PathLike[str]) -> Path | None:
    """Draw the curves of one or several runs: validations, losses, rate and times.

    Args:
        runs: Their records; several share each panel.
        path: The file to write.

    Returns:
        The path, or None if no run logged a number three times.

    Raises:
        OutputError: If the file cannot be written.
    """
    labels = dict.fromkeys(
        name
        for run in runs
        for name, curve in run.curves.items()
        if len(curve.values) >= _FEWEST and name.startswith(("train/", "val/"))
    )
    chosen = sorted(labels, key=_rank)[:_MOST_PANELS]
    panels = {}
    for label in chosen:
        part, name = label.split("/", 1)
        heading = name if part == "val" else _NAMES.get(name, name)
        panels[heading] = {
            run.label: (run.curves[label].iterations, run.curves[label].values)
            for run in runs
            if label in run.curves
        }
    if not panels:
        return None
    return run_curves(panels, path, title=", ".join(run.label for run in runs))


def _rank(label: str) -> tuple[int, int]:
    part, name = label.split("/", 1)
    if part == "val":
        return 0, 0
    return (2, _LAST.index(name)) if name in _LAST else (1, 0)
