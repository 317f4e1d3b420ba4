"""Images of a data set in any format, by key and in a fixed order, for training.

What ``realdeg degrade --to`` writes, shards of WebDataset, databases of BasicSR, tables, and
folders in a store. The order is that of the same images as files, so a run is the same from all.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from realdeg.errors import ConfigError, DataError
from realdeg.synthesis.archives import TarSource, read_member, samples
from realdeg.synthesis.databases import DATA, LmdbSource
from realdeg.synthesis.entries import Entry, Source, in_order
from realdeg.synthesis.files import FileSource, read_file
from realdeg.synthesis.stores import Listed, is_address, list_files, local_path
from realdeg.synthesis.tables import ParquetSource
from realdeg.utils.image import IMAGE_SUFFIXES, StoredImage

Kind: TypeAlias = Literal["tar", "parquet", "lmdb", "folder"]

_WORDS: dict[Kind, str] = {
    "tar": "tar files",
    "parquet": "Parquet files",
    "lmdb": "LMDB folders",
    "folder": "image files",
}


@dataclass(frozen=True)
class SourceImage(StoredImage):
    """An image of a data set in any format.

    Args:
        place: Path or address of the file that holds it, or that it is.
        label: Its name in there; empty if it is a file of its own.
        entry: How it is found there.
        reader: Returns its bytes.
        version: What changes when ``place`` is written again.
        costly: Whether to read it takes much more time than to read as many bytes here.
    """

    place: str
    label: str
    entry: Entry = field(compare=False, repr=False)
    reader: Callable[[Entry], bytes] = field(compare=False, repr=False)
    version: str = field(default="", compare=False)
    costly: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """What it is called where it lies."""
        return (self.label or self.place).rpartition("/")[2]

    def __str__(self) -> str:
        """Return where it lies, for messages."""
        return f"{self.place}/{self.label}" if self.label else self.place

    def content(self) -> bytes:
        """Return the bytes of the image's file; see :class:`StoredImage`."""
        return self.reader(self.entry)

    def state(self) -> tuple[int, str]:
        """Return its bytes (0: unknown), and the version of what holds it when it was listed."""
        return max(0, self.entry.size), self.version


Images: TypeAlias = Mapping[str, SourceImage]
"""Images by key, in order."""


def find_sides(root: str | os.PathLike[str], *sides: str) -> tuple[Images, ...]:
    """Find the images of a data set, each side of its pairs by key.

    A side is named by the part of ``key.SIDE.png`` in tar files, by the column in Parquet files, by
    the end of the name of an LMDB folder (``x_SIDE.lmdb``), or by a folder of images. Only for
    columns does its case count.

    Args:
        root: A folder, a tar or Parquet file, a pattern, or an address such as
            ``s3://bucket/pairs``. It holds one format.
        *sides: What is sought, such as ``"hr"`` and ``"lr"``.

    Returns:
        For each side its images by key, in the order of the files ``key.png``.

    Raises:
        ConfigError: If a package is missing, or two sides have one name.
        DataError: If there are none, a file is truncated or damaged, the format cannot be told, or
            two images have the same key.
    """
    if len({side.lower() for side in sides}) < len(sides):
        raise ConfigError(f"hr and lr have to differ, both are {sides[0]!r}.")
    where = local_path(os.fspath(root))
    kind, files = _look(where, sides)
    found = tuple(_ordered(images) for images in _FINDERS[kind](files, sides))
    if not any(found):
        raise DataError(f"{where} holds no images called {' or '.join(sides)}.")
    return found


def find_images(root: str | os.PathLike[str], side: str | None = None) -> Images:
    """Find the images of a data set that has one of each key.

    Args:
        root: As for :func:`find_sides`.
        side: Which image of a sample, as for :func:`find_sides`; None: the only one there is.

    Returns:
        The images by key, in the order of the files ``key.png``.

    Raises:
        ConfigError: If a package is missing.
        DataError: As :func:`find_sides`; also if samples have several images and no side is named.
    """
    if side is not None:
        return find_sides(root, side)[0]
    kind, found = _look(local_path(os.fspath(root)), ())
    files = {os.path.dirname(one.place) if kind == "lmdb" else one.place: one for one in found}
    folders = {one.name.partition("/")[0].lower() for one in found}
    if kind == "folder" and {"hr", "lr"} <= folders:
        raise DataError(f"{root} holds pairs, in HR and LR: say which side is meant ('hr').")
    source: Source
    if kind == "tar":
        source = TarSource(list(files))
    elif kind == "parquet":
        source = ParquetSource(list(files))
    elif kind == "lmdb":
        source = LmdbSource(list(files))
    else:
        source = FileSource({one.name: (one.place, one.size) for one in found})
    return _ordered(
        _by_key(
            (
                _stem(entry.name),
                _image(
                    files[entry.place],
                    "" if kind == "folder" else entry.name,
                    entry,
                    source.read,
                    kind == "parquet",
                ),
            )
            for entry in source.entries
        )
    )


def is_unfinished(root: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a data set of ``realdeg degrade`` that lacks shards."""
    folder = Path(local_path(os.fspath(root)))
    return (folder / "dataset.json").is_file() and not (folder / "manifest.jsonl").is_file()


def _look(where: str, sides: tuple[str, ...]) -> tuple[Kind, list[Listed]]:
    """Return the format of a data set, and its files."""
    listed = list_files(where)
    # Below a folder there may be other data sets: those for validation, say.
    deep = glob.has_magic(where) and not os.path.lexists(where)
    kinds = {kind: found for kind in _WORDS if (found := _of_kind(kind, listed, sides, deep))}
    if len(kinds) > 1:
        words = " and ".join(_WORDS[kind] for kind in kinds)
        raise DataError(f"{where} holds {words}: name one of them, such as {where}/*.tar.")
    if not kinds:
        folders = f" in folders called {' and '.join(map(str.upper, sides))}" if sides else ""
        raise DataError(
            f"{where} holds no data set: no .tar or .parquet files and no LMDB folders, which would"
            f" be directly in there, and no images{folders}."
        )
    kind, found = next(iter(kinds.items()))
    if kind == "lmdb" and is_address(where):
        raise DataError(f"{where} holds LMDB folders, which are read from disks: copy them here.")
    return kind, found


def _of_kind(
    kind: Kind, listed: Iterable[Listed], sides: tuple[str, ...], deep: bool
) -> list[Listed]:
    if kind in ("tar", "parquet"):
        packed = [one for one in listed if one.name.lower().endswith(f".{kind}")]
        return [one for one in packed if deep or "/" not in one.name]
    if kind == "lmdb":
        bases = [one for one in listed if one.place.rpartition("/")[2] == DATA]
        # The folder itself may be what is named.
        return [one for one in bases if deep or one.name.count("/") <= 1]
    images = [one for one in listed if one.name.lower().endswith(IMAGE_SUFFIXES)]
    folders = {side.lower() for side in sides}
    return [one for one in images if not sides or one.name.partition("/")[0].lower() in folders]


def _in_tar(found: list[Listed], sides: tuple[str, ...]) -> Iterator[dict[str, SourceImage]]:
    sought = [{f"{side.lower()}{suffix}" for suffix in ("", *IMAGE_SUFFIXES)} for side in sides]
    images: list[list[tuple[str, SourceImage]]] = [[] for _ in sides]
    for file in found:
        for key, members in samples(file.place):
            for number, wanted in enumerate(sought):
                for ending, entry in members.items():
                    if ending.lower() in wanted:
                        image = _image(file, entry.name, entry, read_member)
                        images[number].append((key, image))
    yield from map(_by_key, images)


def _in_parquet(found: list[Listed], sides: tuple[str, ...]) -> Iterator[dict[str, SourceImage]]:
    files = {file.place: file for file in found}
    for side in sides:
        source = ParquetSource(list(files), side)
        yield _by_key(
            (
                _stem(entry.name),
                # A whole group of rows is read.
                _image(files[entry.place], f"{entry.name}.{side}", entry, source.read, True),
            )
            for entry in source.entries
        )


def _in_lmdb(found: list[Listed], sides: tuple[str, ...]) -> Iterator[dict[str, SourceImage]]:
    for side in sides:
        files = {
            os.path.dirname(file.place): file
            for file in found
            if _is_side(os.path.basename(os.path.dirname(os.path.abspath(file.place))), side)
        }
        if not files:
            names = ", ".join(sorted(os.path.dirname(file.name) or "." for file in found)[:4])
            raise DataError(
                f"no LMDB folder ends in _{side.upper()}.lmdb; there is {names}: say what {side} is"
                " called there."
            )
        source = LmdbSource(list(files))
        yield _by_key(
            (_stem(entry.name), _image(files[entry.place], entry.name, entry, source.read))
            for entry in source.entries
        )


def _in_folders(found: list[Listed], sides: tuple[str, ...]) -> Iterator[dict[str, SourceImage]]:
    for side in sides:
        images = []
        for file in found:
            folder, _, name = file.name.partition("/")
            if folder.lower() == side.lower():
                entry = Entry(name, file.place, size=file.size)
                images.append((_stem(name), _image(file, "", entry, read_file)))
        yield _by_key(images)


_FINDERS: Mapping[
    Kind, Callable[[list[Listed], tuple[str, ...]], Iterator[dict[str, SourceImage]]]
] = {"tar": _in_tar, "parquet": _in_parquet, "lmdb": _in_lmdb, "folder": _in_folders}


def _image(
    file: Listed,
    label: str,
    entry: Entry,
    reader: Callable[[Entry], bytes],
    costly: bool = False,
) -> SourceImage:
    return SourceImage(
        # The file of a database is named by its folder.
        entry.place,
        label,
        entry,
        reader,
        file.version,
        costly or is_address(file.place),
    )


def _is_side(folder: str, side: str) -> bool:
    name, wanted = folder.lower(), side.lower().removesuffix(".lmdb")
    return name.removesuffix(".lmdb") == wanted or name.endswith(f"_{wanted}.lmdb")


def _stem(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def _by_key(images: Iterable[tuple[str, SourceImage]]) -> dict[str, SourceImage]:
    by_key: dict[str, SourceImage] = {}
    for key, image in images:
        other = by_key.setdefault(key, image)
        if other is not image:
            raise DataError(
                f"{other} and {image} have one key, {key!r:.120}, which decides what is a pair and"
                " what is drawn for it: rename one of them."
            )
    return by_key


def _ordered(images: Mapping[str, SourceImage]) -> Images:
    in_order(Entry(key, image.place) for key, image in images.items())  # refuses bad names
    # As paths are sorted: folder by folder, and with the suffix.
    return {key: images[key] for key in sorted(images, key=lambda key: f"{key}.png".split("/"))}
