"""Sizes against the scale, from the headers alone."""

from __future__ import annotations

from realdeg.datasets.checking import pair_fault
from realdeg.diagnosis.checks.common import count, finding
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.utils.image import ImageFile


def check_sizes(seen: Examined) -> list[Finding]:
    """Find pairs whose sizes contradict the scale, and HR that is smaller than a patch."""
    found = []
    wrong: dict[ImageFile, str] = {}
    small: dict[ImageFile, str] = {}
    larger = pairs = 0
    for record in seen.set.records:
        hr = seen.files[record.hr].size
        if hr is not None and min(hr) < seen.set.least:
            small[record.hr] = f"{hr[0]} x {hr[1]}"
        lr = None if record.lr is None else seen.files[record.lr].size
        if hr is None or lr is None or record.lr is None:
            continue
        pairs += 1
        reason = pair_fault(hr, lr, seen.set.scale, seen.set.same_size, seen.set.remainder)
        if reason:
            wrong[record.lr] = reason
            larger += lr[0] > hr[0] and lr[1] > hr[1]
    if wrong:
        first = next(iter(wrong))
        swapped = larger == pairs
        found.append(
            finding(
                "swapped" if swapped else "sizes",
                "error",
                seen,
                f"LR is larger than HR in all {pairs} pairs"
                if swapped
                else f"{count(len(wrong), pairs, 'pair')} of the wrong size: in {first.name}"
                f" {wrong[first]}",
                "exchange the HR and the LR folder"
                if swapped
                else "state scale and same_size as the files have them, or make these LR again",
                tuple(wrong),
                {str(path): reason for path, reason in wrong.items()},
            )
        )
    if small:
        first = next(iter(small))
        found.append(
            finding(
                "sizes",
                "error",
                seen,
                f"{count(len(small), len(seen.set.records), 'HR image')} smaller than the"
                f" {seen.set.least} pixels that the transforms need: {first.name} has"
                f" {small[first]}",
                "train on smaller patches, or remove these images",
                tuple(small),
                dict((str(path), size) for path, size in small.items()),
            )
        )
    return found
