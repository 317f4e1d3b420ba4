"""Curves of runs as charts of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from realdeg.reporting.content import Plot
from realdeg.runs import Curve, RunRecord
from realdeg.utils.html import Markup, tag

MOST_POINTS = 1000
"""How many points of a curve the page holds, with up to eight runs; at least 200 with more."""

_NAMES = {
    "lr": ("learning rate", ""),
    "time": ("time per iteration", "s"),
    "data_time": ("time per iteration that waited for data", "s"),
    "memory": ("memory of the accelerator", "MiB"),
}
_LATER = ("lr", "time", "data_time", "memory")


def thinned(curve: Curve, most: int = MOST_POINTS) -> tuple[list[int], list[float]]:
    """Return at most about ``most`` points; each interval keeps its lowest and its highest value.

    So a single spike of a loss stays visible, which every n-th point would lose.
    """
    steps, values = curve.iterations, curve.values
    if len(steps) <= most:
        return list(steps), list(values)
    count = max(1, (most - 2) // 2)
    kept = {0, len(steps) - 1}
    for index in range(count):
        part = range(index * len(steps) // count, (index + 1) * len(steps) // count)
        kept |= {min(part, key=values.__getitem__), max(part, key=values.__getitem__)}
    chosen = sorted(kept)
    return [steps[i] for i in chosen], [values[i] for i in chosen]


def training_charts(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return charts of all curves of the training: losses first, then rate and times."""
    labels = _labels(run.training for run in runs)
    first = [name for name in labels if name not in _LATER]
    return [_chart(name, runs, "train/") for name in (*first, *(n for n in _LATER if n in labels))]


def validation_charts(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return charts of the curves of the validation."""
    return [_chart(name, runs, "val/") for name in _labels(run.validation for run in runs)]


def plot_chart(plot: Plot, names: Sequence[str]) -> dict[str, Any]:
    """Return a chart of curves over anything but iterations.

    Args:
        plot: The curves.
        names: The labels of all runs: a run has the same colour everywhere.
    """
    series = []
    for name, (x, y) in plot.series.items():
        pairs = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
        colour = names.index(name) if name in names else -1
        series.append(_series(name, colour, [a for a, _ in pairs], [b for _, b in pairs]))
    return {"title": plot.title, "x": plot.across, "y": plot.upward, "log": False, "series": series}


def chart_box(chart: Mapping[str, Any], number: int) -> Markup:
    """Return the place where a script draws a chart, with a text that says what it shows."""
    spoken = "; ".join(
        f"{one['name']} from {_short(one['y'][0])} to {_short(one['y'][-1])}"
        for one in chart["series"]
        if one["y"]
    )
    return tag(
        "figure",
        tag(
            "figcaption",
            tag("h4", chart["title"], f" ({chart['y']})" if chart["y"] else None),
            tag("p", spoken, class_="spoken"),
        ),
        tag("div", class_="plot"),
        class_="chart",
        data_chart=number,
    )


def _labels(curves: Iterator[Mapping[str, Curve]] | Any) -> list[str]:
    return list(dict.fromkeys(name for one in curves for name in one))


def _chart(name: str, runs: Sequence[RunRecord], prefix: str) -> dict[str, Any]:
    series, full = [], 0
    most = min(MOST_POINTS, max(200, 8 * MOST_POINTS // len(runs)))
    for index, run in enumerate(runs):
        curve = run.curves.get(prefix + name)
        if curve is not None:
            full = max(full, len(curve.values))
            series.append(_series(run.label, index, *thinned(curve, most)))
    title, unit = _NAMES.get(name, (name, "")) if prefix == "train/" else (name, "")
    values = [value for one in series for value in one["y"]]
    wide = bool(values) and min(values) > 0 and max(values) / min(values) > 20
    chart = {"title": title, "x": "iteration", "y": unit, "log": wide, "series": series}
    if full > most:
        chart["thinned"] = f"{full} points, thinned to {most}: lows and highs are kept."
    return chart


def _series(name: str, colour: int, x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """Return a line; ``colour`` is the run's number, -1 for a reference."""
    return {
        "name": name,
        "colour": colour,
        "x": [_exact(value) for value in x],
        "y": [_exact(value) for value in y],
    }


def _exact(value: float) -> float | int:
    return value if isinstance(value, int) else float(f"{value:.7g}")


def _short(value: float) -> str:
    return f"{value:.4g}"
