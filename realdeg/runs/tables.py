"""A comparison of runs as text: Markdown, CSV, LaTeX and plain data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from realdeg.evaluation.bootstrap import FEWEST_IMAGES
from realdeg.evaluation.report import SAMPLE_NOTICE, MeanSpread, number_text
from realdeg.runs.comparison import LEVEL, Difference, ScoreTable
from realdeg.runs.groups import Group
from realdeg.runs.scores import images_in_words
from realdeg.utils.files import atomic_path
from realdeg.utils.tables import csv_table, latex_table, markdown_table

FORMAT = "realdeg-runs-1"
TableFormat = Literal["markdown", "csv", "latex"]
_CSV = (
    *("test_images", "score", "model", "runs", "mean", "spread", "baseline"),
    *("difference", "low", "high", "images", "higher_on"),
)


@dataclass
class RunComparison:
    """Several runs measured on the same images under the same protocols.

    Args:
        groups: The rows: runs that differ only in their seed are one.
        tables: One per set of test images.
        protocols: The protocols' settings in words, by name.
        draws: Resamples of the bootstrap.
        seed: Of the resamples.
        notes: What a reader has to know: unfinished trainings, tests left out.

    Attributes:
        files: The files that were written.
    """

    groups: tuple[Group, ...]
    tables: tuple[ScoreTable, ...]
    protocols: dict[str, str]
    draws: int
    seed: int
    notes: tuple[str, ...] = ()
    files: list[Path] = field(default_factory=list, init=False)

    @property
    def sample(self) -> bool:
        """Whether a run is one on the built-in sample: no result to report."""
        return any(run.sample for group in self.groups for run in group.runs)

    def text(self, form: TableFormat = "markdown") -> str:
        """Return the comparison as ``"markdown"``, ``"csv"`` or ``"latex"``."""
        if form == "csv":
            return self.to_csv()
        return self.to_latex() if form == "latex" else self.to_markdown()

    def to_markdown(self) -> str:
        """Return the tables with what they mean."""
        lines = ["# Comparison of runs", ""]
        if self.sample:
            lines += [f"> **{SAMPLE_NOTICE}**", ""]
        lines += [f"- {line}" for line in self._head()]
        for table in self.tables:
            lines += ["", f"## {heading_of(table)}", "", *markdown_table(*mean_rows(table))]
            if table.differences:
                lines += ["", *markdown_table(*difference_rows(table))]
        return "\n".join([*lines, "", *self._explained(), ""])

    def to_latex(self) -> str:
        """Return one LaTeX table for the means and one for the differences of each test set."""
        # A line break in a name would end the comment.
        parts = [f"% {' '.join(x.split())}" for x in [*self._head(), *self._explained()] if x]
        if self.sample:
            parts.insert(0, f"% {SAMPLE_NOTICE}")
        for table in self.tables:
            header, rows = mean_rows(table)
            parts.append(latex_table(_plain(header), map(_plain, rows), heading_of(table)))
            if table.differences:
                header, rows = difference_rows(table)
                caption = f"Differences on {heading_of(table)}"
                parts.append(latex_table(_plain(header), map(_plain, rows), caption))
        return "\n".join(parts)

    def to_csv(self) -> str:
        """Return one table: a row for each test set, score and model, numbers in full."""
        rows: list[list[object]] = []
        for table in self.tables:
            for score in table.scores:
                for model, means in table.means.items():
                    mean = means[score]
                    start = [_images_of(table), score, model, mean.runs, mean.mean, mean.spread]
                    against = [d for d in table.differences if (d.score, d.model) == (score, model)]
                    rows += [[*start, *_csv_difference(d)] for d in against]
                    if not against:
                        rows.append([*start, *[None] * 6])
        return csv_table(_CSV, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "sample": self.sample,
            "notice": SAMPLE_NOTICE if self.sample else "",
            "notes": list(self.notes),
            "protocols": dict(self.protocols),
            "bootstrap": {"draws": self.draws, "seed": self.seed, "level": LEVEL},
            "groups": [
                {
                    "label": group.label,
                    "runs": [
                        {
                            "folder": str(run.folder),
                            "recipe": run.recipe,
                            "seed": run.seed,
                            "iterations": run.iterations,
                            "finished": run.finished,
                        }
                        for run in group.runs
                    ],
                }
                for group in self.groups
            ],
            "tables": [_table_dict(table) for table in self.tables],
        }

    def write(self, path: str | os.PathLike[str], form: TableFormat | None = None) -> Path:
        """Write the comparison, whole or not at all.

        Args:
            path: The file.
            form: Its format; None: ``.csv`` and ``.tex`` say so, any other name is Markdown.

        Raises:
            OutputError: If it cannot be written.
        """
        file = Path(path)
        named: dict[str, TableFormat] = {".csv": "csv", ".tex": "latex"}
        text = self.text(form or named.get(file.suffix.lower(), "markdown"))
        with atomic_path(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
        self.files.append(file)
        return file

    def _head(self) -> Iterator[str]:
        for group in self.groups:
            recipes = dict.fromkeys(run.recipe for run in group.runs if run.recipe)
            what = ", ".join(recipes) or "tested without a training"
            yield f"**{group.label}**: {what}, seed {group.seeds}"
        for name, meaning in self.protocols.items():
            yield f"protocol `{name}`: {meaning}"
        yield from self.notes

    def _explained(self) -> list[str]:
        lines = []
        if any(mean.spread is not None for _, mean in self._all_means()):
            lines.append(
                "± is the sample standard deviation over runs that differ only in their seed."
            )
        if any(table.differences for table in self.tables):
            lines.append(
                f"Intervals of {LEVEL:.0%}: paired bootstrap over the n images ({self.draws}"
                f" resamples, seed {self.seed}), each image's score being its mean over the seeds."
                " They say how far a difference depends on the choice of images; ± says how far a"
                f" mean depends on the seed. Fewer than {FEWEST_IMAGES} images give no interval."
            )
        return lines

    def _all_means(self) -> Iterator[tuple[str, MeanSpread]]:
        for table in self.tables:
            for means in table.means.values():
                yield from means.items()


def heading_of(table: ScoreTable) -> str:
    """Return the test images of a table in words."""
    return f"{_images_of(table)} (n = {table.images} images)"


def _images_of(table: ScoreTable) -> str:
    return images_in_words(table.tested.dataset, table.tested.lr)


def mean_rows(table: ScoreTable) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells of the means, labels of scores between backticks."""
    header = ["model", "runs", *(f"`{score}`" for score in table.scores)]
    rows = [
        [model, str(next(iter(means.values())).runs), *(_mean_text(s, means[s]) for s in means)]
        for model, means in table.means.items()
    ]
    return header, rows


def _mean_text(score: str, value: MeanSpread) -> str:
    text = number_text(score, value.mean)
    return text if value.spread is None else f"{text} ± {number_text(score, value.spread)}"


def difference_rows(table: ScoreTable) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells of the differences, labels of scores between backticks."""
    header = ["model - baseline", "score", "difference", f"{LEVEL:.0%} interval", "n", "higher on"]
    rows = []
    for found in table.differences:
        rows.append([f"{found.model} - {found.baseline}", f"`{found.score}`", *_cells(found)])
    return header, rows


def _cells(found: Difference) -> list[str]:
    if found.interval is None:
        return ["n/a", "n/a", "0", "n/a"]
    mean, low, high, images = found.interval
    interval = "n/a"
    if low is not None and high is not None:
        interval = f"{_signed(found.score, low)} to {_signed(found.score, high)}"
    count = images + found.left_out
    return [_signed(found.score, mean), interval, str(images), f"{found.higher} of {count}"]


def _signed(score: str, value: float) -> str:
    text = number_text(score, value)
    return text if text.startswith("-") else f"+{text}"


def _plain(cells: Sequence[str]) -> list[str]:
    return [cell.replace("`", "") for cell in cells]


def _csv_difference(found: Difference) -> list[object]:
    if found.interval is None:
        return [found.baseline, None, None, None, None, None]
    mean, low, high, images = found.interval
    return [found.baseline, mean, low, high, images, found.higher]


def _table_dict(table: ScoreTable) -> dict[str, Any]:
    return {
        "dataset": table.tested.dataset,
        "lr": table.tested.lr,
        "scale": table.tested.scale,
        "images": table.images,
        "means": {
            model: {
                score: {"mean": _number(m.mean), "spread": m.spread, "runs": m.runs}
                for score, m in means.items()
            }
            for model, means in table.means.items()
        },
        "differences": [
            {
                "score": found.score,
                "model": found.model,
                "baseline": found.baseline,
                "difference": None if found.interval is None else found.interval.mean,
                "low": None if found.interval is None else found.interval.low,
                "high": None if found.interval is None else found.interval.high,
                "images": 0 if found.interval is None else found.interval.images,
                "higher_on": found.higher,
                "left_out": found.left_out,
            }
            for found in table.differences
        ],
    }


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
