"""What the checks return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from realdeg.utils.image import ImageFile
from realdeg.utils.notebook import Table, html_block, picture_file

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the worst to the least: what breaks or misleads a training, what may, what to know."""

FORMAT = "realdeg-diagnosis-1"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Args:
        check: The check's name, such as ``alignment``.
        severity: ``error``, ``warning`` or ``note``.
        where: The data set, or data sets.
        message: What was found, with values; one sentence.
        advice: What to do; one sentence.
        files: The files concerned, the worst first.
        values: Numbers by the name of the file or pair, or other plain data.
    """

    check: str
    severity: Severity
    where: str
    message: str
    advice: str
    files: tuple[ImageFile, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "check": self.check,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "advice": self.advice,
            "files": [str(file) for file in self.files],
            "values": dict(self.values),
        }


@dataclass(frozen=True)
class SetSummary:
    """One data set, in numbers.

    Args:
        label: Its name in findings.
        role: ``train``, ``val`` or ``test``.
        images: How many images or pairs it has.
        examined: How many of them were decoded and measured; headers were read of all.
        paired: Whether it has pairs.
        scale: HR pixels per LR pixel, or the resolution that a same-size LR lost.
        same_size: Whether LR lies on the HR grid.
        assumed: What was not stated and had to be assumed, in words.
    """

    label: str
    role: str
    images: int
    examined: int
    paired: bool
    scale: float
    same_size: bool
    assumed: str = ""

    def describe(self) -> str:
        """Return one line."""
        kind = f"{'pair' if self.paired else 'HR image'}{'' if self.images == 1 else 's'}"
        parts = [f"{self.images} {kind}"]
        if self.examined < self.images:
            parts[0] += f", {self.examined} of them examined"
        if self.paired:
            parts.append(f"x{self.scale:g}")
            parts.append("LR on the HR grid" if self.same_size else f"LR = HR / {self.scale:g}")
        if self.assumed:
            parts.append(self.assumed)
        return f"{self.label}: {', '.join(parts)}"


@dataclass(frozen=True)
class Diagnosis:
    """The findings of all checks.

    Args:
        target: What was examined.
        sets: The data sets.
        findings: The findings, errors first.
        seed: What the choice of images depends on.
        picture: The picture of the worst cases, if one was drawn.
    """

    target: str
    sets: tuple[SetSummary, ...]
    findings: tuple[Finding, ...]
    seed: int = 0
    picture: Path | None = None

    def __repr__(self) -> str:
        """Return the counts, and errors and warnings one per line."""
        lines = [f"{self.target}: {self.summary()}"]
        worst = self.of("error") + self.of("warning")
        text = "\n  ".join([*lines, *(f"{one.severity}: {one.message}" for one in worst)])
        return f"Diagnosis({text})"

    def _repr_html_(self) -> str:
        """Return the findings with what to do, and the picture, for a notebook."""
        rows = [(f"{one.check} ({one.severity})", one.message, one.advice) for one in self.findings]
        return html_block(
            f"{self.target}: {self.summary()}",
            tables=[Table(("check", "found", "what to do"), rows)],
            pictures=[] if self.picture is None else picture_file(self.picture, "the worst cases"),
            notes=[one.describe() for one in self.sets],
        )

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(one for one in self.findings if one.severity == severity)

    def is_healthy(self, strict: bool = False) -> bool:
        """Return whether there are no errors, and no warnings either if ``strict``."""
        return not self.of("error") and not (strict and self.of("warning"))

    def summary(self) -> str:
        """Return one line that counts the findings."""
        counts = [
            f"{len(found)} {severity}{'' if len(found) == 1 else 's'}"
            for severity in SEVERITIES
            if (found := self.of(severity))
        ]
        return ", ".join(counts) or "nothing found"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "target": self.target,
            "healthy": self.is_healthy(),
            "seed": self.seed,
            "sets": [dict(vars(one)) for one in self.sets],
            "findings": [one.to_dict() for one in self.findings],
            "picture": None if self.picture is None else str(self.picture),
        }
