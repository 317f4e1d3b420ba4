"""Images in tar files, such as the shards of WebDataset."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from typing import IO, cast

from realdeg.errors import DataError, as_given, first_line
from realdeg.synthesis.entries import Entry, check_size, in_order
from realdeg.synthesis.stores import opened, read_part
from realdeg.utils.image import IMAGE_SUFFIXES

_BLOCK = 512
# Headers are a block; long names and extended headers are some more.
_LONGEST_HEADER = 1 << 20


class TarSource:
    """The images in tar files, found by their headers.

    Args:
        places: Paths or addresses of the files.
        field: End of the names to take, such as ``"hr.png"``; None: those of images.

    Raises:
        DataError: If a file is truncated or damaged, there is no image, or a sample has several.
    """

    def __init__(self, places: Sequence[str], field: str | None = None) -> None:
        self.ignored: list[str] = []
        self.refused: dict[str, str] = {}
        found = []
        for place in places:
            for name, position, size in members(place):
                if _is_wanted(name, field):
                    found.append(Entry(_named(name, field), place, position, size))
                else:
                    self.ignored.append(name)
        self.entries = in_order(found)
        if not found:
            what = f"no member that ends in {field}" if field else "no image"
            raise DataError(f"{places[0] if places else 'an empty list'} holds {what}.")
        if field is None:
            _check_alone(self.entries)

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an image's file; see :class:`Source`."""
        return read_member(entry)


def read_member(entry: Entry) -> bytes:
    """Return the bytes of an image in a tar file.

    Raises:
        DataError: If it cannot be read, or is larger than any image within the limit.
    """
    check_size(entry.name, entry.place, entry.size)
    return read_part(entry.place, entry.position, entry.size)


def samples(place: str) -> Iterator[tuple[str, dict[str, Entry]]]:
    """Walk over the samples of a shard of WebDataset: members that are equal up to the first dot.

    Args:
        place: Path or address of an uncompressed tar file.

    Yields:
        The key, and the members by the rest of their names, such as ``hr.png``.

    Raises:
        DataError: As :func:`members`.
    """
    key, found = "", dict[str, Entry]()
    for name, position, size in members(place):
        folder, slash, file = name.rpartition("/")
        if file.startswith("."):
            continue
        stem, _, field = file.partition(".")
        if f"{folder}{slash}{stem}" != key:
            if found:
                yield key, found
            key, found = f"{folder}{slash}{stem}", {}
        found[field] = Entry(name, place, position, size)
    if found:
        yield key, found


def members(place: str) -> Iterator[tuple[str, int, int]]:
    """Walk over the headers of a tar file.

    Args:
        place: Path or address of an uncompressed tar file.

    Yields:
        Name, first byte and bytes of every regular file.

    Raises:
        DataError: If it is truncated, damaged or no tar file.
    """
    with opened(place) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        try:
            with tarfile.open(
                fileobj=cast("IO[bytes]", _Guarded(stream, place)), mode="r:", encoding="utf-8"
            ) as archive:
                end = -1
                for member in archive:
                    # A negative size, which older releases of Python follow for ever.
                    if archive.offset <= end:
                        raise ValueError(f"a member of {member.size} bytes")
                    end = archive.offset
                    # A member with holes states more bytes than there are.
                    if member.isreg() and member.sparse is None:
                        yield member.name, member.offset_data, member.size
                    # tarfile keeps all of them, in a list that its stubs do not list.
                    vars(archive)["members"].clear()
                end = archive.offset
        except (tarfile.TarError, EOFError, ValueError, UnicodeError, RecursionError) as error:
            if size == 0 or "end of data" in str(error) or "truncated" in str(error):
                raise _truncated(place) from error
            raise DataError(
                f"{place} is damaged or no tar file ({first_line(error)}): compressed ones have to"
                " be unpacked first."
            ) from error
        # Python takes an archive that ends between two members for whole.
        stream.seek(min(end, size))
        if stream.read(_BLOCK) != bytes(_BLOCK):
            raise _truncated(place)


class _Guarded:
    """A stream that reads no long headers, whose length the file states itself."""

    def __init__(self, stream: IO[bytes], place: str) -> None:
        self._stream, self._place = stream, place
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise DataError(f"{self._place} has a header of {size} bytes: it is damaged.")
        return self._stream.read(size)


def _truncated(place: str) -> DataError:
    return DataError(f"{place} is truncated or damaged: fetch or write it again.")


def _is_wanted(name: str, field: str | None) -> bool:
    if os.path.basename(name).startswith("."):
        return False
    if field is not None:
        return name.endswith(f".{field.lstrip('.')}")
    return name.lower().endswith(IMAGE_SUFFIXES)


def _named(name: str, field: str | None) -> str:
    """Return the name of an image: of a field that of its sample, ``a.png`` for ``a.hr.png``."""
    if field is None:
        return name
    return name.removesuffix(f".{field.lstrip('.')}") + os.path.splitext(name)[1]


def _check_alone(entries: Sequence[Entry]) -> None:
    """Refuse samples that have several images, of which only one can be the HR image.

    Several samples have the same endings then. Dots in the names of photos also look like endings,
    but those differ from photo to photo.
    """
    endings: dict[str, list[str]] = {}
    for entry in entries:
        folder, slash, file = entry.name.rpartition("/")
        sample, _, ending = file.partition(".")
        endings.setdefault(f"{folder}{slash}{sample}", []).append(ending)
    seen: set[tuple[str, ...]] = set()
    for sample, listed in endings.items():
        kinds = tuple(listed)
        if len(kinds) > 1 and kinds in seen:
            raise DataError(
                f"the sample {sample} has {len(kinds)} images ({', '.join(kinds[:5])}): say which"
                f" one is HR, such as {as_given(field=kinds[0])}."
            )
        seen.add(kinds)
