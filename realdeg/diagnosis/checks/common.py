"""Words and numbers that several checks use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding, Severity
from realdeg.diagnosis.limits import OF_THE_SET
from realdeg.utils.image import ImageFile


def count(number: int, total: int, thing: str) -> str:
    """Return ``3 of 40 images``."""
    return f"{number} of {total} {thing}{'' if total == 1 else 's'}"


def severity_of(number: int, total: int) -> Severity:
    """Return ``error`` if a fault is the data set's, ``warning`` if it is that of some images."""
    return "error" if number >= OF_THE_SET * max(total, 1) else "warning"


def ranked(values: Mapping[ImageFile, float], worst: str = "largest") -> tuple[ImageFile, ...]:
    """Return files by their value, the worst first."""
    return tuple(sorted(values, key=lambda file: values[file], reverse=worst == "largest"))


def by_name(values: Mapping[ImageFile, float], digits: int = 3) -> dict[str, float]:
    """Return rounded values by the file as text."""
    return {str(file): round(float(value), digits) for file, value in values.items()}


def finding(
    check: str,
    severity: Severity,
    seen: Examined,
    message: str,
    advice: str,
    files: Sequence[ImageFile] = (),
    values: Mapping[str, object] | None = None,
) -> Finding:
    """Return a finding on one data set."""
    return Finding(check, severity, seen.set.label, message, advice, tuple(files), values or {})
