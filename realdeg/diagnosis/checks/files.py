"""Files that cannot be read, and files without a partner."""

from __future__ import annotations

from realdeg.diagnosis.checks.common import count, finding
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.utils.image import ImageFile


def check_files(seen: Examined) -> list[Finding]:
    """Find missing, empty, truncated and damaged files."""
    faults: dict[ImageFile, str] = {
        path: facts.fault for path, facts in seen.files.items() if facts.header is None
    }
    for item in seen.items:
        for path, fault in item.fault:
            faults.setdefault(path, fault)
    if not faults:
        return []
    first = next(iter(faults))
    message = f"{count(len(faults), len(seen.files), 'file')} cannot be used"
    return [
        finding(
            "unreadable",
            "error",
            seen,
            f"{message}: {first.name} {faults[first]}",
            "copy or convert these files again, or remove them with their partners",
            tuple(faults),
            {str(path): fault for path, fault in faults.items()},
        )
    ]


def check_names(seen: Examined) -> list[Finding]:
    """Find files without a partner."""
    faults = {fault.path: fault.reason for fault in seen.set.faults}
    if not faults:
        return []
    first = next(iter(faults))
    number = f"{len(faults)} file{' has' if len(faults) == 1 else 's have'} no partner"
    return [
        finding(
            "names",
            "error",
            seen,
            f"{number}: {first.name} {faults[first]}",
            "add the missing files, correct the names, or remove what has no partner",
            tuple(faults),
            {str(path): reason for path, reason in faults.items()},
        )
    ]
