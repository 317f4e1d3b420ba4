"""What a data set is made from: named images, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from realdeg.errors import DataError
from realdeg.utils.files import is_inside
from realdeg.utils.image import IMAGE_SUFFIXES, largest_image_file


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of a source.

    Args:
        name: Relative, with ``/``; seed and key follow from it.
        place: Path or address of the file that holds it.
        position: Where its bytes begin (tar), or its row (Parquet).
        size: Its bytes; -1: not known before it is opened.
    """

    name: str
    place: str
    position: int = 0
    size: int = -1


class Source(Protocol):
    """Images that are read one by one, in any order and from any process."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The images, sorted by name; no two names are equal."""

    @property
    def ignored(self) -> Sequence[str]:
        """Names of what is no image."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Reasons by name of what cannot be read."""

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an image's file.

        Raises:
            DataError: If it cannot be read, or is larger than any image within the limit.
        """


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort entries by name, and refuse names that cannot stand in a data set.

    Raises:
        DataError: If two have the same name, or one is no valid text or leads out of the folder.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    for before, entry in zip([None, *ordered], ordered, strict=False):
        if not _is_text(entry.name):
            raise DataError(
                f"{entry.place} names an image {entry.name!a:.120}, which is not valid text and"
                " could be no key: rename it."
            )
        if not is_inside(entry.name):
            raise DataError(
                f"{entry.place} names an image {entry.name!r:.120}, which would leave the folder of"
                " results: rename it."
            )
        if before is not None and before.name == entry.name:
            raise DataError(
                f"two images are called {entry.name!r:.120} (in {before.place} and {entry.place}):"
                " names decide keys and seeds, so rename one of them."
            )
    return ordered


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file name that are not UTF-8
        return False
    return True


def key_of(name: str) -> str:
    """Return the key of an image: its name without suffix.

    Readers of tar shards end a key at the first dot of the file name, so dots become underscores.

    Examples:
        >>> key_of("2026.trip/a.b.jpg")
        '2026.trip/a_b'
    """
    folder, slash, file = name.rpartition("/")
    stem, suffix = os.path.splitext(file)
    stem = stem if suffix.lower() in IMAGE_SUFFIXES else file  # keys of tables have none
    return f"{folder}{slash}{stem.replace('.', '_')}"


def keys_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the key of every image by its name.

    Raises:
        DataError: If two have the same key.
    """
    names: dict[str, str] = {}
    for entry in entries:
        other = names.setdefault(key_of(entry.name), entry.name)
        if other != entry.name:
            raise DataError(
                f"{other!r:.120} and {entry.name!r:.120} would both have the key"
                f" {key_of(entry.name)!r:.120}: rename one of them."
            )
    return {name: key for key, name in names.items()}


def check_size(name: str, place: str, size: int) -> None:
    """Refuse an image that is too large, before memory is taken for it.

    Raises:
        DataError: If it has more bytes than any image within the limit of pixels.
    """
    if size > largest_image_file():
        raise DataError(
            f"the image {name} in {place} has {size} bytes, more than any image within the limit"
            " of pixels: it is left out."
        )
