"""What a comparison of degradations found, as a table and as data."""

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
from realdeg.utils.tables import markdown_table

FORMAT = "realdeg-comparison-1"
# Numbers that the JSON file has and the table leaves out.
_ONLY_IN_JSON = ("kernel_gain",)


@dataclass
class Result:
    """What was measured of one degradation.

    Args:
        description: The degradation in words.
        numbers: The numbers, by label.
        missing: Per number that could not be measured, the reason.
        curves: What the metrics found beside numbers: spectra, kernels; by metric.
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
        images: How many HR images there are.
        draws: How often each was degraded.
        seed: The seed of everything random.
        colour: ``"rgb"`` or ``"y"``: what was degraded.
        sample: Whether the pairs are the built-in sample's, whose camera is simulated.
        protocols: The protocols' settings in words, by name.
        results: What was measured, by the degradation's name.
        camera: The camera's own numbers, where it has some.
        shown: For the picture: ``key``, ``hr``, ``real`` and one image per degradation.
        unfinished: Which degradations are still to be measured; empty where all are.
        files: What was written.
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

    @property
    def labels(self) -> list[str]:
        """Every number of the table, in the order of ``NUMBERS``."""
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
        """Return the degradations that come nearest to the ideal of a number."""
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
        """Return everything that was measured as plain data, ready for JSON."""
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
        """Return the table: numbers down, the camera and the degradations across."""
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
        """Return the lines of the Markdown table alone."""
        header = ["number", "the camera", *self.results]
        rows = []
        for label in self.labels:
            number = number_of(label)
            if number is None or label.split("[")[0] in _ONLY_IN_JSON:
                continue
            best = self.best(label)
            cells = [f"`{label}`", number_text(number, self.camera.get(label), absent="")]
            for name, result in self.results.items():
                text = number_text(number, result.numbers.get(label))
                cells.append(f"**{text}**" if name in best else text)
            rows.append(cells)
        return markdown_table(header, rows)

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``comparison.json`` and ``comparison.md``, each whole or not at all.

        Args:
            folder: Made where it is missing.

        Returns:
            The two paths.

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
    """Return a number as the table prints it.

    Args:
        number: What it is.
        value: Its value, or None.
        absent: What stands for None.
    """
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
