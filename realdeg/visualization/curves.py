"""Training curves and tables as images."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from realdeg.visualization.style import (
    COLOURS,
    INK,
    LABEL_SIZE,
    MARGIN,
    MUTED,
    SMALL_SIZE,
    TITLE_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    plain_axes,
    save_figure,
    title_space,
    title_width,
    write_text,
    write_title,
)


def training_curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | os.PathLike[str],
    *,
    xlabel: str = "iteration",
    ylabel: str = "loss",
    references: Mapping[str, float] | None = None,
    log: bool = False,
    title: str | None = None,
) -> Path:
    """Draw one or several curves.

    Args:
        series: For each curve its x and y values.
        path: The file to write.
        xlabel: Name of the x axis.
        ylabel: Name of the y axis, with unit.
        references: Named values drawn as dashed horizontal lines, such as a baseline.
        log: Whether the y axis is logarithmic.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
    """
    figure = new_figure(6.0, 3.6, layout="constrained")
    axes = figure.add_subplot()
    for index, (name, (x, y)) in enumerate(series.items()):
        marker = "o" if len(x) <= 30 else None
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=name)
    for index, (name, value) in enumerate((references or {}).items(), start=len(series)):
        colour = COLOURS[index % len(COLOURS)]
        axes.axhline(value, color=colour, linewidth=1.1, linestyle="--", label=name)
    if log:
        axes.set_yscale("log")
    if len(series) + len(references or {}) > 1:
        axes.legend(fontsize=SMALL_SIZE, frameon=False, labelcolor=INK)
    _label(axes, xlabel, ylabel, title)
    return save_figure(figure, path)


def run_curves(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
) -> Path:
    """Draw what runs logged, one panel per number.

    A panel with one curve states its last value. The axis of positive values that span more than a
    factor of 20 is logarithmic.

    Args:
        panels: By the number's name: by the run's name, iterations and values.
        path: The file to write.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If there is no panel, or a panel without a value.
    """
    if not panels or not all(y for each in panels.values() for _, y in each.values()):
        raise ValueError("curves need at least one panel, and each curve a value")
    across = min(len(panels), 3)
    down = math.ceil(len(panels) / across)
    figure = new_figure(max(3.3 * across, title_width(title)), 2.5 * down, layout="constrained")
    names = list(dict.fromkeys(name for each in panels.values() for name in each))
    for number, (what, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(down, across, number)
        for name, (x, y) in curves.items():
            marker = "o" if len(x) <= 30 else None
            colour = COLOURS[names.index(name) % len(COLOURS)]
            axes.plot(x, y, color=colour, linewidth=1.4, marker=marker, markersize=3, label=name)
        values = [value for _, y in curves.values() for value in y]
        if min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
        _label(axes, "iteration", "", None)
        heading = f"{what}: {values[-1]:.4g} at the end" if len(curves) == 1 else what
        axes.set_title(heading, fontsize=LABEL_SIZE, color=INK, parse_math=False)
        if number == 1 and len(names) > 1:
            legend = axes.legend(fontsize=SMALL_SIZE, frameon=False, labelcolor=INK)
            for text in legend.get_texts():
                text.set_parse_math(False)
    if title:
        style = {"fontsize": TITLE_SIZE, "color": INK, "fontweight": "bold", "parse_math": False}
        figure.suptitle(title, **style)
    return save_figure(figure, path)


def trade_off_curve(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    path: str | os.PathLike[str],
    *,
    xlabel: str,
    ylabel: str,
    title: str | None = None,
) -> Path:
    """Draw one metric against another, as a line through named points.

    Args:
        points: The two metrics of each point, in the order of the line.
        names: A short text beside each point, such as a parameter's value.
        path: The file to write.
        xlabel: Name of the first metric.
        ylabel: Name of the second metric.
        title: A heading.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If points and names differ in number.
    """
    figure = new_figure(5.2, 3.8, layout="constrained")
    axes = figure.add_subplot()
    across, up = zip(*points, strict=True)
    axes.plot(across, up, color=COLOURS[0], linewidth=1.6, marker="o", markersize=4)
    for name, point in zip(names, points, strict=True):
        axes.annotate(
            name,
            point,
            xytext=(5, 5),
            textcoords="offset points",
            fontsize=SMALL_SIZE,
            color=INK,
        )
    _label(axes, xlabel, ylabel, title)
    return save_figure(figure, path)


def _label(axes: Any, xlabel: str, ylabel: str, title: str | None) -> None:
    axes.set_xlabel(xlabel, fontsize=LABEL_SIZE, color=INK)
    axes.set_ylabel(ylabel, fontsize=LABEL_SIZE, color=INK)
    axes.tick_params(labelsize=SMALL_SIZE, colors=INK, width=0.5)
    plain_axes(axes)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.6)
    if title:
        axes.set_title(title, fontsize=TITLE_SIZE, color=INK, fontweight="bold", pad=10)


def table_picture(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    note: str | None = None,
) -> Path:
    """Draw a table: the first column left-aligned, the others right-aligned.

    Args:
        header: Names of the columns.
        rows: The cells as text.
        path: The file to write.
        title: A heading.
        note: A line below, such as the protocol of the numbers.

    Returns:
        The path.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If a row and the header differ in length.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row has {len(row)} cells under {len(header)} headings: {row!r}")
    longest = [
        max(len(str(row[column])) for row in (header, *rows)) for column in range(len(header))
    ]
    widths = [0.078 * length + 0.3 for length in longest]
    line = 0.27
    above, below = title_space(title), (0.3 if note else 0.1)
    width = max(sum(widths) + 2 * MARGIN, 0.067 * len(note or "") + 2 * MARGIN, title_width(title))
    height = line * (len(rows) + 1) + above + below
    figure = new_figure(width, height)
    start = (width - sum(widths)) / 2
    ends = [start + sum(widths[: column + 1]) for column in range(len(header))]
    for index, row in enumerate((header, *rows)):
        weight = "bold" if index == 0 else "normal"
        for column, cell in enumerate(row):
            x = ends[column] - 0.1 if column else start + 0.1
            side = "right" if column else "left"
            middle = above + line * (index + 0.5)
            style = {"fontweight": weight, "horizontalalignment": side}
            write_text(figure, x, middle, str(cell), **style)
    for place, thickness in ((0, 1.2), (1, 0.6), (len(rows) + 1, 1.2)):
        rule = axes_at(figure, start, above + line * place, ends[-1] - start, 0.001)
        hide_ticks(rule, frame=False)
        rule.axhline(0.5, color=INK, linewidth=thickness, clip_on=False)
    write_title(figure, title)
    write_text(figure, width / 2, height - below / 2, note, fontsize=SMALL_SIZE, color=MUTED)
    return save_figure(figure, path)
