"""All checks of several data sets."""

from __future__ import annotations

from collections.abc import Sequence

from realdeg.diagnosis.checks import CHECKS
from realdeg.diagnosis.checks.copies import (
    check_duplicates,
    check_leaks,
    check_sides,
    take_prints,
)
from realdeg.diagnosis.facts import Examined, examine, read_headers
from realdeg.diagnosis.findings import SEVERITIES, Finding, SetSummary
from realdeg.diagnosis.sets import ImageSet
from realdeg.utils.progress import Shown, progress_bar


def diagnose(
    sets: Sequence[ImageSet], most: int | None, seed: int, shown: Shown = False
) -> tuple[list[SetSummary], list[Finding]]:
    """Run all checks.

    Headers are read of all files; ``most`` images or pairs of each set are decoded, one at a time,
    and measured; fingerprints are taken of all HR images.

    Args:
        sets: The data sets, of different labels.
        most: How many images or pairs of each set are measured; None: all.
        seed: What the choice depends on.
        shown: Whether there are progress bars.

    Returns:
        The sets in numbers, and the findings, errors first.
    """
    summaries, findings = [], []
    for one in sets:
        files, chosen = one.files(), one.choose(most, seed)
        with progress_bar(f"{one.label}: headers", len(files), shown=shown) as advance:
            headers = read_headers(files, advance)
        items = []
        with progress_bar(f"{one.label}: pixels", len(chosen), shown=shown) as advance:
            for number, index in enumerate(chosen):
                if headers[one.records[index].hr].header is not None:
                    items.append(examine(one, index))
                advance(number + 1)
        seen = Examined(one, headers, tuple(items))
        for check in CHECKS:
            findings += check(seen)
        findings += check_sides(one)
        summaries.append(one.summary(len(chosen)))
    total = len({record.hr for one in sets for record in one.records})
    with progress_bar("copies and leaks", total, shown=shown) as advance:
        prints = take_prints(sets, advance)
    for one in sets:
        findings += check_duplicates(one, prints[one.label])
    findings += check_leaks(sets, prints)
    findings.sort(key=lambda one: SEVERITIES.index(one.severity))  # stable
    return summaries, findings
