"""Duplicates inside data sets, and leaks between training and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from realdeg.diagnosis.checks.common import count
from realdeg.diagnosis.findings import Finding
from realdeg.diagnosis.prints import Likeness, Print, find_copies, find_parts, fingerprint
from realdeg.diagnosis.sets import ImageSet
from realdeg.errors import DataError
from realdeg.utils.image import ImageFile, sha256_of, state_of

_LEAK = "take one side out: scores on images that were trained on say nothing"


def take_prints(sets: Sequence[ImageSet], tell: Callable[[int], None]) -> dict[str, list[Print]]:
    """Take the fingerprints of all HR images, by the label of their set.

    Args:
        sets: The data sets.
        tell: Called with the number of images that are done.
    """
    features = len({_kind(one) for one in sets}) > 1
    taken: dict[ImageFile, Print | None] = {}
    found: dict[str, list[Print]] = {}
    for one in sets:
        prints = []
        for path in dict.fromkeys(record.hr for record in one.records):
            if path not in taken:
                taken[path] = fingerprint(path, features)
                tell(len(taken))
            known = taken[path]
            if known is not None:
                prints.append(known)
        found[one.label] = prints
    return found


def check_duplicates(one: ImageSet, prints: Sequence[Print]) -> list[Finding]:
    """Find images of a data set that are copies of each other."""
    copies = find_copies(prints)
    if not copies:
        return []
    return [
        Finding(
            "duplicates",
            "warning",
            one.label,
            f"{_pairs(len(copies))} of HR images show the same: {_say(copies[0])}",
            "keep one of each: copies count twice in training and in means",
            _files(copies),
            _values(copies),
        )
    ]


def check_leaks(sets: Sequence[ImageSet], prints: Mapping[str, Sequence[Print]]) -> list[Finding]:
    """Find images that are, as a whole or in part, both in training and in validation or test."""
    found = []
    for one in (images for images in sets if _kind(images) == "train"):
        for other in (images for images in sets if _kind(images) == "test"):
            mine, theirs = prints[one.label], prints[other.label]
            where = f"{one.label}, {other.label}"
            same = set(one.files()) & set(other.files())
            copies = [c for c in find_copies(theirs, mine) if c.first != c.second]
            copies = [Likeness(p, p, "the same file", 1.0) for p in sorted(same, key=str)] + copies
            number = len({copy.first for copy in copies})
            if copies:
                message = f"{count(number, len(theirs), 'test image')} also in training"
                message += f": {_say(copies[0])}"
                found.append(
                    Finding("leak", "error", where, message, _LEAK, _files(copies), _values(copies))
                )
            known = {(copy.first, copy.second) for copy in copies}
            parts = [p for p in find_parts(theirs, mine) if (p.first, p.second) not in known]
            parts = [p for p in parts if p.first not in same]
            if parts:
                parts.sort(key=lambda part: -part.evidence)
                number = len({part.first for part in parts})
                message = f"{count(number, len(theirs), 'test image')} with parts of a training"
                message += f" image, or of the same scene: {_say(parts[0])}"
                found.append(
                    Finding("leak", "warning", where, message, _LEAK, _files(parts), _values(parts))
                )
    return found


def check_sides(one: ImageSet) -> list[Finding]:
    """Find pairs whose LR is a copy of HR, to the byte."""
    same = []
    for record in one.records:
        lr = record.lr
        if lr is not None and _same_bytes(record.hr, lr):
            same.append(lr)
    if not same:
        return []
    return [
        Finding(
            "duplicates",
            "error",
            one.label,
            f"{count(len(same), len(one.records), 'pair')} whose LR is the same file as HR:"
            f" {same[0].name}",
            "put the LR photo in its place",
            tuple(same),
        )
    ]


def _same_bytes(hr: ImageFile, lr: ImageFile) -> bool:
    try:
        return state_of(hr)[0] == state_of(lr)[0] and sha256_of(hr) == sha256_of(lr)
    except (DataError, OSError):
        return False  # named by another check


def _kind(one: ImageSet) -> str:
    return "train" if one.role == "train" else "test"


def _pairs(number: int) -> str:
    return f"{number} pair{'' if number == 1 else 's'}"


def _say(one: Likeness) -> str:
    if one.how == "the same file":
        return f"{one.first.name} is in both"
    link = "shows" if one.how == "the same scene" else "is a"
    evidence = f" ({one.evidence:.0f} common features)" if link == "shows" else ""
    of = "as" if link == "shows" else "of"
    return f"{one.first.name} {link} {one.how} {of} {one.second.name}{evidence}"


def _files(found: Sequence[Likeness]) -> tuple[ImageFile, ...]:
    return tuple(dict.fromkeys(path for one in found for path in (one.first, one.second)))


def _values(found: Sequence[Likeness]) -> dict[str, object]:
    return {f"{one.first} {one.second}": [one.how, round(one.evidence, 3)] for one in found}
