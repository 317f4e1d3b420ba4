"""Which file of one folder belongs to which file of another, by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import ConfigError, DataError
from realdeg.utils.image_files import list_images

# Endings that say what an image is, not which one.
_ROLE = re.compile(
    r"(?:[-_ .](?:x\d(?:\.\d+)?|\d[xX]|LRx?\d*|HRx?\d*|SRx?\d*|GT|LQ|HQ|bicubic|out|output|result"
    r"|restored|rlt|pred))$|(?<=[^\W_])x\d$",
    re.IGNORECASE,
)
_LOW = re.compile(r"[-_ .](?:LRx?\d*|LQ)$", re.IGNORECASE)
_ENDING = re.compile(r"[-_ .][^-_ .]+$")


@dataclass(frozen=True)
class NamedPair:
    """Two files of one image.

    Args:
        key: The image's name: that of the first file, without its suffix.
        first: The file of the first folder.
        second: The file of the second folder.
    """

    key: str
    first: Path
    second: Path


@dataclass(frozen=True)
class Matching:
    """What was matched, and how.

    Args:
        pairs: In the order of their names.
        notes: What a reader of the result has to know: endings that were dropped, files left out.
    """

    pairs: tuple[NamedPair, ...]
    notes: tuple[str, ...] = ()


def match_folders(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    first_pattern: str | None = None,
    second_pattern: str | None = None,
    recursive: bool = False,
    allow_missing: bool = False,
) -> Matching:
    """Match the images of two folders by name.

    Without patterns, equal names are tried first, then names without the endings that say what an
    image is (``_HR``, ``_LR4``, ``_SR``, ``x4``, ``_out`` ...), then also without an ending that
    all images of the first folder share (``_SwinIR``). The first of these rules under which every
    image of the first folder has exactly one partner counts. In the second folder ``*_LR*`` is left
    out beside ``*_HR`` of the same name.

    Args:
        first: The folder whose images name the pairs.
        second: The folder of their partners.
        first_pattern: Name of a file without its suffix, with ``{name}`` for the part that pairs
            it, such as ``{name}_x4``; ``*`` stands for anything.
        second_pattern: The same for the second folder.
        recursive: Whether to include subfolders.
        allow_missing: Whether images without a partner are left out, with a note.

    Raises:
        ConfigError: If both folders are the same one, or a pattern has no ``{name}``.
        DataError: If a folder is missing or empty, or an image has no partner or several.
    """
    places = [_folder(path) for path in (first, second)]
    if places[0].resolve() == places[1].resolve() and first_pattern == second_pattern:
        raise ConfigError(
            f"both folders are {places[0]}, so every image would be compared with itself: give two"
            " folders, or two patterns."
        )
    sides = [_images(place, recursive) for place in places]
    given = (first_pattern, second_pattern)
    if given != (None, None):
        rules = [_by_patterns(*(pattern or "{name}" for pattern in given))]
    else:
        rules = _rules(sides[0])
        sides[1] = _without_low(sides[1])
    attempts = [_Attempt.make(sides[0], sides[1], rule) for rule in rules]
    best = max(attempts, key=lambda attempt: (attempt.exact, len(attempt.pairs)))
    return best.result(places[0], places[1], allow_missing, patterns=given != (None, None))


@dataclass(frozen=True)
class _Rule:
    first: Callable[[str], str | None]
    second: Callable[[str], str | None]
    note: str = ""


@dataclass(frozen=True)
class _Attempt:
    rule: _Rule
    pairs: tuple[NamedPair, ...]
    lonely: tuple[tuple[Path, ...], tuple[Path, ...]]
    double: tuple[Path, ...]
    """Two or more files of one folder that a rule gives the same name."""

    @property
    def exact(self) -> bool:
        """Whether the first folder is matched completely."""
        return bool(self.pairs) and not self.lonely[0] and not self.double

    @classmethod
    def make(cls, first: Mapping[str, Path], second: Mapping[str, Path], rule: _Rule) -> _Attempt:
        groups = [_grouped(first, rule.first), _grouped(second, rule.second)]
        shared = [name for name in groups[0] if name in groups[1]]
        double = next(
            (tuple(side[name]) for name in shared for side in groups if len(side[name]) > 1), ()
        )
        keys = {file: key for key, file in first.items()}
        pairs = tuple(
            NamedPair(keys[groups[0][name][0]], groups[0][name][0], groups[1][name][0])
            for name in shared
        )
        matched = {file for name in shared for side in groups for file in side[name]}
        lonely = tuple(
            tuple(file for file in side.values() if file not in matched) for side in (first, second)
        )
        return cls(rule, pairs, (lonely[0], lonely[1]), double)

    def result(self, first: Path, second: Path, allow_missing: bool, patterns: bool) -> Matching:
        remedy = "Give patterns that fit." if patterns else "If the names differ, give a pattern."
        if self.double:
            names = " and ".join(file.name for file in self.double[:2])
            raise DataError(
                f"{self.double[0].parent} holds {names}, which are one image by their names: give a"
                " pattern that tells which of them is meant, such as '{name}_HR'."
            )
        if not self.pairs:
            examples = " and ".join(str(side[0]) for side in self.lonely if side)
            raise DataError(
                f"no image of {first} has a partner in {second} by its name, for instance"
                f" {examples or 'nothing fits the patterns'}. {remedy}"
            )
        notes = [self.rule.note] if self.rule.note else []
        for side, other in zip(self.lonely, (second, first), strict=True):
            if not side:
                continue
            count = "" if len(side) == 1 else f" (and {len(side) - 1} more)"
            text = f"{side[0]}{count} has no partner in {other}"
            if not allow_missing:
                raise DataError(
                    f"{text}: a mean over some of the images is not the mean of the set. {remedy}"
                    " Allow missing images to measure the rest."
                )
            notes.append(f"{text}: left out")
        return Matching(self.pairs, tuple(notes))


def _folder(path: str | os.PathLike[str]) -> Path:
    place = Path(path).expanduser()
    if not place.is_dir():
        found = "is a file" if place.exists() else "does not exist"
        raise DataError(f"{place} {found}: name a folder of images.")
    return place


def _images(place: Path, recursive: bool) -> dict[str, Path]:
    found = list_images(place, recursive)
    if not found:
        below = "" if recursive else " (subfolders are not searched)"
        raise DataError(f"{place} holds no images{below}.")
    return found


def _grouped(
    images: Mapping[str, Path], name_of: Callable[[str], str | None]
) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for key, file in images.items():
        name = name_of(key)
        if name is not None:
            groups.setdefault(name, []).append(file)
    return groups


def _core(key: str) -> str:
    """Drop every ending that says what an image is."""
    while True:
        shorter = _ROLE.sub("", key)
        if shorter in (key, "") or shorter.endswith("/"):
            return key
        key = shorter


def _last(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _last_core(key: str) -> str:
    return _core(_last(key))


def _rules(first: Iterable[str]) -> list[_Rule]:
    rules = [_Rule(_same, _same), _Rule(_core, _core)]
    keys = list(first)
    endings = {match[0] if (match := _ENDING.search(key)) else "" for key in keys}
    if len(keys) > 1 and len(endings) == 1 and "" not in endings:
        (ending,) = endings
        note = f"'{ending}' at the end of names was ignored"
        rules.append(_Rule(lambda key: _core(key.removesuffix(ending)), _core, note))
    # Last of all, files of one name in different subfolders.
    return [*rules, _Rule(_last, _last), _Rule(_last_core, _last_core)]


def _same(key: str) -> str:
    return key


def _without_low(images: Mapping[str, Path]) -> dict[str, Path]:
    """Leave ``*_LR*`` out where there is another image of the same name, as in RealSR."""
    sharp = {_core(key) for key in images if not _LOW.search(key)}
    return {
        key: file for key, file in images.items() if not _LOW.search(key) or _core(key) not in sharp
    }


def _by_patterns(first: str, second: str) -> _Rule:
    return _Rule(_reader(first), _reader(second))


def _reader(pattern: str) -> Callable[[str], str | None]:
    if pattern.count("{name}") != 1:
        raise ConfigError(
            f"the pattern {pattern!r} has to have {{name}} once, such as '{{name}}_x4'."
        )
    parts = [
        ".*".join(re.escape(piece) for piece in part.split("*")) for part in pattern.split("{name}")
    ]
    expression = re.compile("(?P<name>.+?)".join(parts))

    def read(key: str) -> str | None:
        match = expression.fullmatch(key)
        return match["name"] if match else None

    return read
