"""Tags of TIFF files and of EXIF data, which has the same layout."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from realdeg.utils.image.source import BrokenFileError, Source

ORIENTATION = 274
_LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_LENGTHS |= {16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_MOST_TAGS = 4096
_MOST_PAGES = 65536
_MOST_VALUES = 1 << 22


@dataclass(frozen=True)
class Tag:
    """The location of a tag's values.

    Args:
        kind: TIFF's number for the type of the values.
        count: The number of values.
        start: Position of the first one.
    """

    kind: int
    count: int
    start: int


@dataclass(frozen=True)
class Directory:
    """The tags of one page.

    Args:
        source: The file that the page is in.
        order: ``"<"`` or ``">"``.
        tags: By number.
        next: Position of the next page's tags; 0 for none.
    """

    source: Source
    order: str
    tags: Mapping[int, Tag] = field(default_factory=dict)
    next: int = 0

    def numbers(self, tag: int) -> list[int]:
        """Return the values of a tag; none if it is missing or does not hold integers."""
        found = self.tags.get(tag)
        if found is None or found.kind not in _NUMBERS:
            return []
        if found.count > _MOST_VALUES:
            raise BrokenFileError(f"is damaged: its tag {tag} claims {found.count} values")
        kind = np.dtype(self.order + _NUMBERS[found.kind])
        content = self.source.take(found.start, found.count * kind.itemsize)
        return [int(value) for value in np.frombuffer(content, kind)]

    def number(self, tag: int, otherwise: int) -> int:
        """Return the first value of a tag."""
        return next(iter(self.numbers(tag)), otherwise)

    def content(self, tag: int, longest: int) -> bytes:
        """Return the bytes of a tag; none if they are missing or too many."""
        found = self.tags.get(tag)
        if found is None:
            return b""
        length = found.count * _LENGTHS.get(found.kind, 0)
        return self.source.take(found.start, length) if 0 < length <= longest else b""


def read_directory(source: Source, place: int | None = None) -> Directory:
    """Read the tags of one page; their values are read on demand.

    Args:
        source: The file, classic TIFF or BigTIFF.
        place: Position of the tags; None: those of the first page.

    Raises:
        BrokenFileError: If the file is damaged or not a TIFF file.
    """
    order = {b"II": "<", b"MM": ">"}.get(source.peek(0, 2))
    if order is None:
        raise BrokenFileError("is damaged: its tags are not in TIFF's layout")
    big = struct.unpack(order + "H", source.take(2, 2))[0] == 43
    if place is None:
        place = struct.unpack(order + ("Q" if big else "I"), source.take(8 if big else 4, _w(big)))[
            0
        ]
    (count,) = struct.unpack(order + ("Q" if big else "H"), source.take(place, 8 if big else 2))
    if not 0 < count <= _MOST_TAGS:
        raise BrokenFileError(f"is damaged: a page claims {count} tags")
    start, length = place + (8 if big else 2), 20 if big else 12
    table = source.take(start, count * length)
    tags: dict[int, Tag] = {}
    for number in range(count):
        entry = table[number * length : (number + 1) * length]
        code, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), entry)
        inside = values * _LENGTHS.get(kind, 0) <= _w(big)
        at = start + number * length + length - _w(big)
        if not inside:
            (at,) = struct.unpack(order + ("Q" if big else "I"), entry[-_w(big) :])
        tags.setdefault(code, Tag(kind, values, at))
    end = start + count * length
    following = source.peek(end, _w(big))
    behind = int.from_bytes(following, "little" if order == "<" else "big")
    return Directory(source, order, tags, behind if len(following) == _w(big) else 0)


def count_pages(first: Directory) -> int:
    """Count the pages of a TIFF file from its first one, without previews and masks.

    Raises:
        BrokenFileError: If the chain of pages is damaged, endless or too long.
    """
    pages, place = 1, first.next
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) >= _MOST_PAGES:
            raise BrokenFileError("is damaged: its pages follow each other without end")
        seen.add(place)
        page = read_directory(first.source, place)
        # NewSubfileType: bit 0 is a reduced copy, bit 2 a mask of transparency.
        pages += not page.number(254, 0) & 0b101
        place = page.next
    return pages


def orientation_of(exif: bytes) -> int:
    """Return the orientation in EXIF data, with or without the ``Exif`` prefix.

    1 to 8 (EXIF 2.32, tag 274); 1, which is upright, if it is missing or damaged.
    """
    content = exif[6:] if exif[:6] == b"Exif\0\0" else exif
    try:
        found = read_directory(Source(io.BytesIO(content))).number(ORIENTATION, 1)
    except (BrokenFileError, struct.error):
        return 1
    return found if 1 <= found <= 8 else 1


def _w(big: bool) -> int:
    return 8 if big else 4
