"""Which wide photo belongs to which tele photo: by name, time or content."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from realdeg.errors import DataError, as_given
from realdeg.registration.coarse import Features, match_features
from realdeg.registration.photos import Shot

Matching: TypeAlias = Literal["auto", "name", "time", "content"]
"""How pairs are found; see :func:`match_shots`."""

# What people add to the names of the two sides: _wide, -28mm, _LR4, 001H, tele_.
_SIDE = re.compile(
    r"([-_ ]+((wide|tele|hr|lr|high|low|short|long)([-_ ]?x?\d)?|x\d|\d{1,3} ?mm)|(?<=\d)[hl])$"
    r"|^(wide|tele|hr|lr)[-_ ]+",
    re.IGNORECASE,
)
# Two exposures of one scene are at most this many seconds apart.
_LONGEST = 120.0


@dataclass(frozen=True)
class MatchedShots:
    """The pairs that were found.

    Args:
        pairs: Wide and tele, by the name of the pair.
        how: ``"name"``, ``"time"`` or ``"content"``.
        alone: The photos without a partner.
    """

    pairs: dict[str, tuple[Shot, Shot]]
    how: str
    alone: tuple[Shot, ...]


def match_shots(
    wide: Sequence[Shot],
    tele: Sequence[Shot],
    how: Matching,
    features: Callable[[Shot, str], Features],
) -> MatchedShots:
    """Find the pairs.

    ``"name"``: equal names, or names that are equal without ``_wide``, ``_tele``, ``_HR``,
    ``_LR4``, ``28mm`` and the like. ``"time"``: exposures that are each other's nearest in time, at
    most two minutes apart. ``"content"``: the most features in common. ``"auto"``: the first of
    them that finds a partner for at least half of the photos of the smaller side; one photo of
    each side is a pair.

    Args:
        wide: One side.
        tele: The other.
        how: The method.
        features: Returns the features of a photo, of the side ``"wide"`` or ``"tele"``.

    Raises:
        DataError: If there is no pair.
    """
    if len(wide) == len(tele) == 1 and how == "auto":
        return _matched([(wide[0], tele[0])], "name", wide, tele)
    found: list[tuple[Shot, Shot]] = []
    tried = ("name", "time", "content") if how == "auto" else (how,)
    used = tried[-1]
    for one in tried:
        if one == "name":
            found = _by_name(wide, tele)
        elif one == "time":
            found = _by_time(wide, tele)
        else:
            found = _by_content(wide, tele, features)
        used = one
        if 2 * len(found) >= min(len(wide), len(tele)):
            break
    if not found:
        ways = {
            "name": "no name is in both",
            "time": "no two were taken within two minutes (or they have no EXIF time)",
            "content": "no two show the same scene",
        }
        advice = "" if how == "auto" else f"; try {as_given(match='auto')}"
        raise DataError(
            f"{len(wide)} wide and {len(tele)} tele photos make no pair:"
            f" {', '.join(ways[one] for one in tried)}{advice}."
        )
    return _matched(found, used, wide, tele)


def _matched(
    found: Sequence[tuple[Shot, Shot]], how: str, wide: Sequence[Shot], tele: Sequence[Shot]
) -> MatchedShots:
    pairs = {}
    for first, second in found:
        name = first.name if how == "name" and first.name == second.name else _stem(second.name)
        if name in pairs or not name:
            name = f"{first.name}-{second.name}"
        pairs[name] = (first, second)
    paired = {shot.path for pair in found for shot in pair}
    alone = tuple(shot for shot in [*wide, *tele] if shot.path not in paired)
    return MatchedShots(dict(sorted(pairs.items())), how, alone)


def _stem(name: str) -> str:
    return _SIDE.sub("", name) or name


def _by_name(wide: Sequence[Shot], tele: Sequence[Shot]) -> list[tuple[Shot, Shot]]:
    for key in (str.casefold, lambda name: _stem(name).casefold()):
        sides = []
        for shots in (wide, tele):
            names: dict[str, Shot | None] = {}
            for shot in shots:
                name = key(shot.name)
                names[name] = None if name in names else shot  # not unique: it tells nothing
            sides.append(names)
        found = []
        for name, first in sides[0].items():
            second = sides[1].get(name)
            if first is not None and second is not None:
                found.append((first, second))
        if found:
            return found
    return []


def _by_time(wide: Sequence[Shot], tele: Sequence[Shot]) -> list[tuple[Shot, Shot]]:
    gaps = [
        (abs(first.time - second.time), i, j)
        for i, first in enumerate(wide)
        for j, second in enumerate(tele)
        if first.time is not None and second.time is not None
    ]
    return _nearest(wide, tele, [gap for gap in gaps if gap[0] <= _LONGEST])


def _by_content(
    wide: Sequence[Shot], tele: Sequence[Shot], features: Callable[[Shot, str], Features]
) -> list[tuple[Shot, Shot]]:
    ours = [features(shot, "wide") for shot in wide]
    scores = []
    for j, shot in enumerate(tele):
        theirs = features(shot, "tele")
        for i, one in enumerate(ours):
            match = match_features(one, theirs)
            if match is not None:
                scores.append((-match.evidence, i, j))
    return _nearest(wide, tele, scores)


def _nearest(
    wide: Sequence[Shot], tele: Sequence[Shot], distances: list[tuple[float, int, int]]
) -> list[tuple[Shot, Shot]]:
    """Pair those that are each other's nearest, and then those of the rest."""
    found = []
    rows: set[int] = set()
    columns: set[int] = set()
    for _, i, j in sorted(distances):
        if i not in rows and j not in columns:
            rows.add(i)
            columns.add(j)
            found.append((wide[i], tele[j]))
    return found
