"""The result of a comparison of degradations, as a table and as data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from realdeg.evaluation.degradation.numbers import NUMBERS, Number, number_of
from realdeg.utils.files import write_record
from realdeg.utils.notebook import Table, html_block, picture_file
from realdeg.utils.tables import markdown_table

FORMAT = "realdeg-comparison-1"
# Metrics that are in the JSON file but not in the table.
_ONLY_IN_JSON = ("kernel_gain",)


@dataclass
class Result:
    """The results of one degradation.

    Args:
        description: The degradation in words.
        numbers: Values by the label of the metric.
        missing: Reasons by the label of a metric that could not be measured.
        curves: Spectra and kernels, by metric.
    """

    description: str
    numbers: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    curves: dict[str, dict[str, Tensor]] = field(default_factory=dict)


@dataclass
class Comparison:
    """Several degradations measured against the same real pairs.

    Args:
        dataset: The pairs in words.
        images: Number of HR images.
        draws: How often each was degraded.
        seed: The random seed.
        colour: ``"rgb"`` or ``"y"``: what was degraded.
        sample: Whether the pairs are the built-in sample, whose camera is simulated.
        protocols: The protocols' settings in words, by name.
        results: Results by the degradation's name.
        camera: The camera's own values, for metrics that have them.
        shown: For the figure: ``key``, ``hr``, ``real`` and one image per degradation.
        unfinished: Which degradations have not been measured yet; empty if all have.
        files: The files that were written.
    """

    dataset: str
    images: int
    draws: int
    seed: int
    colour: str
    sample: bool
    protocols: dict[str, str]
    results: dict[str, Result] = field(default_factory=dict)
    camera: dict[str, float] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)
    unfinished: str = ""
    files: list[Path] = field(default_factory=list)

    def __repr__(self) -> str:
        """Return what was compared with what."""
        state = "; unfinished" if self.unfinished else ""
        names = ", ".join(self.results) or "nothing"
        return f"Comparison({names} with {self.dataset}, {self.images} images{state})"

    def _repr_html_(self) -> str:
        """Return the table, a star at the best values, and the figures, for a notebook."""
        header, rows = self._rows("{} \u2605")
        files = [path for path in self.files if path.suffix == ".png"]
        return html_block(
            "Degradations against a real camera",
            {"pairs": self.dataset, "images": self.images, "lacks": self.unfinished},
            tables=[Table(header, rows)],
            pictures=[one for path in files for one in picture_file(path, path.stem)],
            notes=[f"{name}: {meaning}" for name, meaning in self.protocols.items()],
        )

    @property
    def labels(self) -> list[str]:
        """The labels of all metrics in the table, in the order of ``NUMBERS``."""
        found = [
            label
            for result in self.results.values()
            for label in (*result.numbers, *result.missing)
        ]
        order = list(NUMBERS)
        names = {label: label.split("[")[0] for label in dict.fromkeys(found)}
        known = [label for label, name in names.items() if name in NUMBERS]
        return sorted(known, key=lambda label: order.index(names[label]))

    def best(self, label: str) -> list[str]:
        """Return the degradations that come nearest to the ideal of a metric."""
        number = number_of(label)
        if number is None or len(self.results) < 2:
            return []
        distances = {}
        for name, result in self.results.items():
            if math.isfinite(result.numbers.get(label, math.nan)):
                distance = number.distance(result.numbers[label], self.camera.get(label))
                if distance is not None:
                    distances[name] = round(distance, number.decimals)
        least = min(distances.values(), default=None)
        return [name for name, distance in distances.items() if distance == least]

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "complete": not self.unfinished,
            "unfinished": self.unfinished,
            "dataset": self.dataset,
            "images": self.images,
            "draws": self.draws,
            "seed": self.seed,
            "colour": self.colour,
            "sample": self.sample,
            "protocols": self.protocols,
            "numbers": {
                label: {"unit": number.unit, "ideal": number.ideal, "meaning": number.meaning}
                for label in self.labels
                if (number := number_of(label)) is not None
            },
            "camera": _plain(self.camera),
            "degradations": {
                name: {
                    "description": result.description,
                    "numbers": _plain(result.numbers),
                    "missing": result.missing,
                    "curves": {
                        metric: {key: tensor.tolist() for key, tensor in curves.items()}
                        for metric, curves in result.curves.items()
                    },
                }
                for name, result in self.results.items()
            },
        }

    def to_markdown(self) -> str:
        """Return the report: its table has metrics as rows and degradations as columns."""
        times = "" if self.draws == 1 else f", each degraded {self.draws} times"
        lines = ["# Degradations against a real camera", ""]
        if self.unfinished:
            lines += [f"> **INCOMPLETE: {self.unfinished}**", ""]
        if self.sample:
            lines += ["> The pairs are the built-in sample: its camera is simulated.", ""]
        lines += [f"- Pairs: {self.dataset}", f"- Images: {self.images}{times}, seed {self.seed}"]
        lines += [f"- **{name}**: {result.description}" for name, result in self.results.items()]
        lines += ["", *self.table(), ""]
        lines += [
            f"- `{label}`: n/a for {name}: {reason}" for label, name, reason in self._missing()
        ]
        lines += [
            "",
            "What the numbers are ([formulas](metrics.md)); bold is nearest to ideal:",
            "",
        ]
        for label in self.labels:
            number = number_of(label)
            if number is not None and label.split("[")[0] not in _ONLY_IN_JSON:
                lines.append(f"- `{label}`: {number.meaning}{_unit(number)}{_ideal(number)}")
        lines += ["", "Protocols:", ""]
        lines += [f"- `{name}`: {meaning}" for name, meaning in self.protocols.items()]
        return "\n".join(lines) + "\n"

    def table(self) -> list[str]:
        """Return the lines of the Markdown table."""
        header, rows = self._rows("**{}**")
        return markdown_table(header, [[f"`{label}`", *cells] for label, *cells in rows])

    def _rows(self, best_is: str) -> tuple[list[str], list[list[str]]]:
        """Return headings and cells, the best ones as a pattern says."""
        header = ["number", "the camera", *self.results]
        rows = []
        for label in self.labels:
            number = number_of(label)
            if number is None or label.split("[")[0] in _ONLY_IN_JSON:
                continue
            best = self.best(label)
            cells = [label, number_text(number, self.camera.get(label), absent="")]
            for name, result in self.results.items():
                text = number_text(number, result.numbers.get(label))
                cells.append(best_is.format(text) if name in best else text)
            rows.append(cells)
        return header, rows

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``comparison.json`` and ``comparison.md`` atomically and return their paths.

        Args:
            folder: Created if it is missing.

        Raises:
            OutputError: If the folder cannot be written.
        """
        written = write_record(folder, "comparison", self.to_dict(), self.to_markdown())
        self.files += [path for path in written if path not in self.files]
        return written

    def _missing(self) -> Iterator[tuple[str, str, str]]:
        reasons: dict[tuple[str, str], list[str]] = {}
        for name, result in self.results.items():
            for label, reason in result.missing.items():
                reasons.setdefault((label, reason), []).append(name)
        for (label, reason), names in reasons.items():
            whole = len(names) == len(self.results)
            yield label, "every one" if whole else ", ".join(names), reason


def number_text(number: Number, value: float | None, absent: str = "n/a") -> str:
    """Return a value as the table prints it; ``absent`` replaces None."""
    return absent if value is None else f"{value:.{number.decimals}f}"


def _unit(number: Number) -> str:
    return f", in {number.unit}" if number.unit else ""


def _ideal(number: Number) -> str:
    return {
        "most": "; more is better",
        "least": "; less is better",
        "zero": "; 0 is ideal",
        "one": "; 1 is ideal",
        "camera": "; the camera's own is ideal",
    }.get(number.ideal, "")


def _plain(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {k: v if math.isfinite(v) else str(v) for k, v in numbers.items()}
