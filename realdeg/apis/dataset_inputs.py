"""Where the images of a data set come from, by what a user names."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from realdeg.apis.inputs import Inputs, Photos, find_inputs, is_pattern
from realdeg.errors import ConfigError, DataError, as_given
from realdeg.synthesis.archives import TarSource
from realdeg.synthesis.entries import Source
from realdeg.synthesis.files import FileSource
from realdeg.synthesis.stores import Listed, is_address, list_files, local_path
from realdeg.synthesis.tables import ParquetSource
from realdeg.utils.image import IMAGE_SUFFIXES

Images: TypeAlias = Photos | Inputs
"""What :func:`open_source` takes."""

_PACKED = (".tar", ".parquet")


def is_packed(photos: object) -> bool:
    """Return whether a text names what only a data set is made from: an address, tar, Parquet."""
    text = os.fspath(photos) if isinstance(photos, str | os.PathLike) else ""
    return is_address(text) or str(text).lower().endswith(_PACKED)


def holds_packed(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds tar or Parquet files and no images."""
    if not os.path.isdir(folder) or not _packed_in(Path(folder)):
        return False
    try:
        find_inputs(folder)
    except DataError:
        return True
    return False


def open_source(photos: Images, *, field: str | None = None, key: str | None = None) -> Source:
    """Find the images that a user names, here or in a store, in files or packed.

    Args:
        photos: A folder of images, of tar files or of Parquet files; an image, tar or Parquet
            file; a pattern; an address such as ``s3://bucket/photos``; or several of them. A
            folder with images is searched for images alone.
        field: The column of images in Parquet, or the end of names in tar (``"hr.png"``).
        key: The column of names in Parquet.

    Raises:
        ConfigError: If an option does not belong to what is named, or a package is missing.
        DataError: If there is no image, or something cannot be read.
    """
    found: Inputs | None
    packed: list[str] = []
    if isinstance(photos, Inputs):
        found = photos
    else:
        listed = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
        listed = [local_path(one) if isinstance(one, str) else one for one in listed]
        if any(is_address(one) for one in listed):
            return _in_store(listed, field, key)
        found, packed = _local(photos if listed == [photos] else listed, listed)
    if packed:
        return _open_packed(packed, field, key)
    _refuse_options(field, key)
    if found is None:
        raise DataError("there are no images in an empty list.")
    files = {name: (str(path), -1) for name, path in found.files.items()}
    return FileSource(files, found.ignored, found.refused)


def check_apart(photos: Images, target: Path) -> None:
    """Refuse an output folder that holds inputs, or lies in a folder of inputs.

    Raises:
        DataError: If outputs would mix with the originals.
    """
    if isinstance(photos, Inputs):
        photos.check_apart(target)
        return
    listed = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    there = target.resolve()
    for one in (local_path(os.fspath(one)) for one in listed):
        if is_address(one):
            continue
        fixed = Path(one)
        while glob.has_magic(str(fixed)) and not os.path.lexists(fixed):
            fixed = fixed.parent
        here = fixed.resolve()
        folder = here if here.is_dir() else here.parent
        inside = here.is_dir() and (folder == there or folder in there.parents)
        if inside or there in here.parents or there == folder:
            raise DataError(
                f"one of {one} and {target} contains the other: outputs would mix with the"
                " originals. Choose an output folder outside of the inputs."
            )


def _local(
    photos: Photos, listed: Sequence[str | os.PathLike[str]]
) -> tuple[Inputs | None, list[str]]:
    """Return images of their own, or the packed files that were named or are in a folder."""
    packed: list[str] = []
    others = 0
    for one in listed:
        matches = [str(one)]
        if is_pattern(one):
            matches = sorted(glob.glob(str(one), recursive=True))
        named = [match for match in matches if match.lower().endswith(_PACKED)]
        named = [match for match in named if not os.path.isdir(match)]
        packed += named
        others += not named or any(one.lower().endswith(IMAGE_SUFFIXES) for one in matches)
    if packed and others:
        raise DataError(
            f"{packed[0]} is packed and other inputs are not: give images, or tar files, or Parquet"
            " files."
        )
    if packed:
        return None, packed
    try:
        return find_inputs(photos), []
    except DataError:
        folders = [Path(one) for one in listed if os.path.isdir(one)]
        packed = [file for folder in folders for file in _packed_in(folder)]
        if not packed and any(_packed_in(folder, (".arrow",)) for folder in folders):
            raise DataError(
                f"{folders[0]} holds Arrow files, as `save_to_disk` of datasets writes them, which"
                " are not read: write Parquet files with `to_parquet`."
            ) from None
        if not packed:
            raise
        return None, packed


def _packed_in(folder: Path, endings: tuple[str, ...] = _PACKED) -> list[str]:
    try:
        listed = list_files(str(folder))
    except DataError:
        return []
    return [one.place for one in listed if one.name.lower().endswith(endings)]


def _in_store(
    listed: Sequence[str | os.PathLike[str]], field: str | None, key: str | None
) -> Source:
    found: list[Listed] = []
    for one in listed:
        if not is_address(one):
            raise DataError(f"{one} is here and other inputs are elsewhere: name one kind.")
        found += list_files(str(one))
    images = [one for one in found if one.name.lower().endswith(IMAGE_SUFFIXES)]
    packed = [one.place for one in found if one.name.lower().endswith(_PACKED)]
    if packed and not images:
        return _open_packed(packed, field, key)
    _refuse_options(field, key)
    files: dict[str, tuple[str, int]] = {}
    for name, place, size, _ in found:
        before = files.setdefault(name, (place, size))
        if before[0] != place:
            raise DataError(f"{before[0]} and {place} have the same name: rename one of them.")
    return FileSource(files)


def _open_packed(packed: Sequence[str], field: str | None, key: str | None) -> Source:
    kinds = {os.path.splitext(place)[1].lower() for place in packed}
    if len(kinds) > 1:
        raise DataError(f"{packed[0]} lies among files of another kind: give tar or Parquet files.")
    if kinds == {".tar"}:
        _refuse_options(None, key)
        return TarSource(packed, field)
    return ParquetSource(packed, field, key)


def _refuse_options(field: str | None, key: str | None) -> None:
    for name, value in (("field", field), ("key", key)):
        if value is not None:
            raise ConfigError(f"{as_given(**{name: value})} is for packed images: leave it out.")
