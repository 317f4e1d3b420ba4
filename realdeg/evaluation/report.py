"""Reports: every score with its protocol, as Markdown and JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from realdeg.errors import ConfigError
from realdeg.evaluation.base import ImageMetric, ImageScores
from realdeg.evaluation.degradation.protocol import LrProtocol
from realdeg.evaluation.iqa_protocol import IqaProtocol
from realdeg.evaluation.protocols import Protocol
from realdeg.utils.files import write_record
from realdeg.utils.notebook import Table, html_block
from realdeg.utils.tables import markdown_table

AnyProtocol: TypeAlias = Protocol | LrProtocol | IqaProtocol
FORMAT = "realdeg-report-1"
SAMPLE_NOTICE = (
    "SAMPLE RUN: a short schedule on the built-in sample images. These numbers show that the"
    " recipe runs; they say nothing about the method and belong in no comparison."
)
_DECIMALS = {"psnr": 2}


class MeanSpread(NamedTuple):
    """A mean over runs; ``spread`` is the sample standard deviation, None for a single run."""

    mean: float
    spread: float | None
    runs: int

    def text(self, decimals: int = 2) -> str:
        """Return ``"31.42 ± 0.03 (n = 3)"``."""
        if self.spread is None:
            return f"{self.mean:.{decimals}f} (n = 1)"
        return f"{self.mean:.{decimals}f} ± {self.spread:.{decimals}f} (n = {self.runs})"


def mean_and_spread(values: Sequence[float]) -> MeanSpread:
    """Return mean and sample standard deviation of one score over several runs.

    Raises:
        ValueError: If there is no value.

    Examples:
        >>> mean_and_spread([30.0, 31.0, 32.0]).text()
        '31.00 ± 1.00 (n = 3)'
    """
    if not values:
        raise ValueError("the mean of no runs is not defined")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return MeanSpread(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return MeanSpread(mean, math.sqrt(variance), count)


def over_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, MeanSpread]:
    """Return mean and spread of every average that all runs have."""
    if not runs:
        return {}
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: mean_and_spread([run[name] for run in runs]) for name in shared}


@dataclass
class Report:
    """Scores, the data they were measured on, and the weights.

    Args:
        title: The experiment's name.
        dataset: Description of the data set: name, version, split, scale.
        checkpoint: The file of weights, or None.
        checkpoint_hash: Its hash, or None.
        sample: Whether the run used the built-in sample set.
        facts: More lines for the head, such as seed or config.

    Attributes:
        unfinished: What is still to be measured, or why it was not; empty for a complete report.
            Both files state it, and means of an unfinished report are provisional.
        files: The written files: the report's own two, and images.
    """

    title: str
    dataset: str
    checkpoint: str | None = None
    checkpoint_hash: str | None = None
    sample: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    averages: dict[str, float] = field(default_factory=dict, init=False)
    missing: dict[str, str] = field(default_factory=dict, init=False)
    protocols: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    meanings: dict[str, str] = field(default_factory=dict, init=False)
    images: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    unfinished: str = field(default="", init=False)
    files: list[Path] = field(default_factory=list, init=False)

    def __repr__(self) -> str:
        """Return title, data set and means."""
        means = ", ".join(f"{name.strip('`')} {value}" for name, value in self._mean_rows())
        state = " (unfinished)" if self.unfinished else ""
        return f"Report({self.title}{state}: {means or 'nothing measured'}; {self.dataset})"

    def _repr_html_(self) -> str:
        """Return means, protocols and the scores of images for a notebook."""
        names = [*self.means(), *self.missing]
        images = [
            [key, *(number_text(name, entry["values"].get(name)) for name in names)]
            for key, entry in self.images.items()
        ]
        notes = [f"{name}: {meaning}" for name, meaning in self.meanings.items()]
        notes += [f"{name} is n/a: {reason}" for name, reason in self.missing.items()]
        notes += [SAMPLE_NOTICE] if self.sample else []
        means = [(name.strip("`"), value) for name, value in self._mean_rows()]
        return html_block(
            self.title,
            {"data set": self.dataset, "checkpoint": self.checkpoint, "lacks": self.unfinished},
            tables=[Table(("mean of", "value"), means), Table(("image", *names), images)],
            notes=notes,
        )

    def add(self, metric: ImageMetric) -> None:
        """Add the results of a metric, which only needs ``averages``."""
        protocol = getattr(metric, "protocol", None)
        self.add_scores(
            metric.averages,
            per_image=getattr(metric, "per_image", ()),
            missing=getattr(metric, "missing", {}),
            protocol=protocol if isinstance(protocol, AnyProtocol) else None,
            prefix=getattr(metric, "prefix", None) or "",
        )

    def add_scores(
        self,
        averages: Mapping[str, float],
        *,
        per_image: Sequence[ImageScores | Mapping[str, Any]] = (),
        missing: Mapping[str, str] | None = None,
        protocol: AnyProtocol | None = None,
        prefix: str = "",
    ) -> None:
        """Add scores.

        Args:
            averages: Means over the data set.
            per_image: The scores of each image, or dicts with ``key`` and values.
            missing: Why scores could not be measured, by label.
            protocol: The protocol of these scores.
            prefix: Put before the names as ``prefix/``.

        Raises:
            ConfigError: If a score of that name exists already.
        """
        start = f"{prefix}/" if prefix else ""
        for name, value in averages.items():
            if start + name in self.averages:
                raise ConfigError(
                    f"the report has two scores named '{start + name}': give one of the metrics"
                    " a prefix."
                )
            self.averages[start + name] = float(value)
        for name, reason in (missing or {}).items():
            self.missing[start + name] = reason
        if protocol is not None:
            self.protocols[protocol.name] = protocol.to_dict()
            self.meanings[protocol.name] = protocol.summary()
        keys = [self.add_image(scores, prefix) for scores in per_image]
        # Images added one by one during a test came in the order of one process alone.
        self.images = {key: self.images[key] for key in [*keys, *self.images]}

    def add_image(self, scores: ImageScores | Mapping[str, Any], prefix: str = "") -> str:
        """Add the scores of one image, which may come before any mean.

        Args:
            scores: The scores, or a dict with ``key`` and values.
            prefix: Put before the names as ``prefix/``.

        Returns:
            The image's key.
        """
        start = f"{prefix}/" if prefix else ""
        if isinstance(scores, Mapping):
            numbers = {name: [value] for name, value in scores.items() if name != "key"}
            scores = ImageScores(str(scores["key"]), numbers)
        elif not isinstance(scores, ImageScores):  # another package's, with key and mean()
            numbers = {name: [value] for name, value in scores.mean().items()}
            scores = ImageScores(str(scores.key), numbers)
        entry = self.images.setdefault(scores.key, {"samples": 1, "values": {}, "all": {}})
        entry["samples"] = max([entry["samples"], *map(len, scores.samples.values())])
        for name, value in scores.mean().items():
            entry["values"][start + name] = value
            entry["all"][start + name] = list(scores.samples[name])
        return scores.key

    def means(self) -> dict[str, float]:
        """Return the final means, or those so far while the report is unfinished."""
        if not self.unfinished:
            return dict(self.averages)
        found: dict[str, list[float]] = {}
        for entry in self.images.values():
            for name, values in entry["all"].items():
                found.setdefault(name, []).extend(values)
        so_far = {name: math.fsum(values) / len(values) for name, values in found.items()}
        return {**so_far, **self.averages}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "title": self.title,
            "complete": not self.unfinished,
            "unfinished": self.unfinished,
            "sample": self.sample,
            "notice": SAMPLE_NOTICE if self.sample else "",
            "dataset": self.dataset,
            "checkpoint": self.checkpoint,
            "checkpoint_hash": self.checkpoint_hash,
            "facts": {name: _plain(value) for name, value in self.facts.items()},
            "mean": {name: _plain(value) for name, value in self.means().items()},
            "missing": dict(self.missing),
            "protocols": self.protocols,
            "images": [
                {
                    "key": key,
                    "samples": entry["samples"],
                    **{name: _plain(value) for name, value in entry["values"].items()},
                }
                for key, entry in self.images.items()
            ],
        }

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        lines = [f"# {self.title}", ""]
        if self.unfinished:
            lines += [f"> **INCOMPLETE: {self.unfinished}**", ""]
        if self.sample:
            lines += [f"> **{SAMPLE_NOTICE}**", ""]
        head = {
            "Data set": self.dataset,
            "Images": str(len(self.images)) if self.images else "",
            "Checkpoint": self.checkpoint or "none",
            "Checkpoint hash": self.checkpoint_hash or "none",
            **{name: str(value) for name, value in self.facts.items()},
        }
        lines += [f"- {name}: {value}" for name, value in head.items() if value]
        heading = "## Mean so far" if self.unfinished else "## Mean"
        lines += ["", heading, "", *markdown_table(["number", "mean"], self._mean_rows())]
        lines += [f"\n{name} is n/a: {reason}" for name, reason in self.missing.items()]
        if self.meanings:
            lines += ["", "## Protocols", ""]
            for name, meaning in self.meanings.items():
                described = self.protocols[name]
                lines.append(f"- `{name}`: {meaning}. Source: {described['source'] or 'custom'}.")
        if self.images:
            names = [*self.means(), *self.missing]
            tiled = any(entry["samples"] > 1 for entry in self.images.values())
            header = ["image", *(["samples"] if tiled else []), *names]
            rows = []
            for key, entry in self.images.items():
                values = [number_text(name, entry["values"].get(name)) for name in names]
                rows.append([key, *([str(entry["samples"])] if tiled else []), *values])
            lines += ["", "## Images", "", *markdown_table(header, rows)]
        if self.sample:
            lines += ["", f"**{SAMPLE_NOTICE}**"]
        return "\n".join(lines) + "\n"

    def _mean_rows(self) -> list[list[str]]:
        rows = [[f"`{name}`", number_text(name, value)] for name, value in self.means().items()]
        return rows + [[f"`{name}`", "n/a"] for name in self.missing]

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``report.json`` and ``report.md`` by :func:`~realdeg.utils.files.write_record`."""
        written = write_record(folder, "report", self.to_dict(), self.to_markdown())
        self.files += [path for path in written if path not in self.files]
        return written


def number_text(name: str, value: float | None) -> str:
    """Format a score for a report: PSNR with 2 decimals, others with 4, None as ``n/a``."""
    if value is None:
        return "n/a"
    metric = name.split("[")[0].rsplit("/", maxsplit=1)[-1]
    return f"{value:.{_DECIMALS.get(metric, 4)}f}"


def _plain(value: Any) -> Any:
    # JSON has neither infinity nor NaN.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
