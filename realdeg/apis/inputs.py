"""Which images are processed: a folder, or what paths, patterns and lists of paths name."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from realdeg.apis.names import find_images, why_unreadable
from realdeg.errors import DataError, as_given
from realdeg.utils.files import open_regular
from realdeg.utils.image import IMAGE_SUFFIXES

Photos: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A folder, an image, a pattern such as ``"trip/**/*.jpg"``, or several of them."""

# Of a list: some millions of paths.
_LARGEST_LIST = 1 << 28


@dataclass
class Inputs:
    """The images of one run.

    Args:
        files: Paths by name. The name is relative and decides name and random seed of the output.
        ignored: Names of files that are not images.
        refused: Reasons by name of what cannot be read.
        folders: Folders that were searched.
        whole: The one folder that was named, or None: an image that a manifest records and that
            is no longer there is a mistake only in a folder.
    """

    files: dict[str, Path] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    whole: Path | None = None

    def check_apart(self, target: Path) -> None:
        """Refuse an output folder that holds inputs, or lies in a folder of inputs.

        Args:
            target: The output folder; it need not exist.

        Raises:
            DataError: If outputs would mix with the originals, or it is named like an image.
        """
        there = target.resolve()
        for folder in self.folders:
            here = folder.resolve()
            if here == there:
                raise DataError(
                    f"input and output are the same folder {folder}: choose another output."
                )
            if here in there.parents or there in here.parents:
                raise DataError(
                    f"one of the folders {folder} and {target} contains the other: outputs would"
                    " mix with the originals. Choose an output folder outside the input folder."
                )
        if self.whole is not None:
            return
        if target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
            raise DataError(f"several images need a folder as output, and {target} names an image.")
        for file in self.files.values():
            if there in file.resolve().parents:
                raise DataError(
                    f"the output folder {target} contains the input {file}: outputs would mix with"
                    " the originals. Choose another output folder."
                )


def find_inputs(photos: Photos, *, parents: bool = False) -> Inputs:
    """Find the images that a user names.

    A folder is searched recursively, without hidden files, and so are those among several paths.
    A pattern (``*``, ``?``, ``[a-z]``, ``**`` for any number of folders) is expanded where no file
    has that name. Names are relative to a folder that was named, or to the part of a pattern
    before its first wildcard; an image that was named has its file name. Only text is taken for a
    pattern, not a ``Path``.

    Args:
        photos: The folder, image or pattern, or several of them.
        parents: Names are the paths as given, with their folders.

    Raises:
        DataError: If there is no image, or two have the same name.
    """
    alone = isinstance(photos, str | os.PathLike)
    listed = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    found = Inputs()
    if alone and not is_pattern(listed[0]) and not Path(listed[0]).is_file():
        folder = Path(listed[0])
        names, found.ignored, found.refused = find_images(folder)
        found.files = {name: folder / name for name in names}
        found.folders, found.whole = [folder], folder
        return found
    clashes: list[tuple[Path, Path]] = []
    for one in listed:
        for name, file in _named(one, parents, found):
            before = found.files.setdefault(name, file)
            if before != file and os.path.realpath(before) != os.path.realpath(file):
                clashes.append((before, file))
    if clashes:
        first, second = clashes[0]
        more = f" and {len(clashes) - 1} more" if len(clashes) > 1 else ""
        advice = (
            "rename one of each" if parents else f"keep their folders ({as_given(parents=True)})"
        )
        raise DataError(
            f"{first} and {second}{more} have the same name, and so would their results: {advice}"
            ", or process them into different folders."
        )
    if not found.files and not found.refused:
        what = ", ".join(str(one) for one in listed[:3]) + (", ..." if len(listed) > 3 else "")
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise DataError(f"there are no images ({kinds}) in {what or 'an empty list'}.")
    found.files = dict(sorted(found.files.items()))
    found.ignored = sorted(set(found.ignored))
    return found


def read_list(path: str | os.PathLike[str], *, null: bool = False) -> list[Path]:
    """Read a list of paths, one per line; nothing in it is a pattern.

    Args:
        path: The file; ``"-"``: standard input.
        null: Paths end with null bytes, as ``find -print0`` writes them, instead of lines.

    Returns:
        The paths; relative ones belong to the current folder. Empty lines are left out.

    Raises:
        DataError: If the list cannot be read, is empty, or is no list of paths.
    """
    where = "standard input" if os.fspath(path) == "-" else f"the list {Path(path)}"
    try:
        if os.fspath(path) == "-":
            content = sys.stdin.buffer.read(_LARGEST_LIST + 1)
        else:
            with open_regular(path) as stream:
                content = stream.read(_LARGEST_LIST + 1)
    except OSError as error:
        raise DataError(f"cannot read {where}: {error.strerror or error}.") from error
    if len(content) > _LARGEST_LIST:
        raise DataError(f"{where} has more than {_LARGEST_LIST} bytes: it is no list of paths.")
    if null:
        parts = content.split(b"\0")
    elif b"\0" in content:
        raise DataError(
            f"{where} holds null bytes: if they end its paths, say so with {as_given(null=True)};"
            " otherwise it is no list of paths."
        )
    else:
        parts = [line.rstrip(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    paths = [Path(os.fsdecode(part)) for part in parts if part]
    if not paths:
        raise DataError(f"{where} names no image.")
    return paths


def is_pattern(photo: str | os.PathLike[str]) -> bool:
    """Return whether a text has wildcards and names no file."""
    return isinstance(photo, str) and glob.has_magic(photo) and not os.path.lexists(photo)


def _named(photo: str | os.PathLike[str], parents: bool, found: Inputs) -> list[tuple[str, Path]]:
    """Return names and paths of one thing that was named; what is no image goes to ``found``."""
    path = Path(photo)
    if is_pattern(photo):
        return _matching(str(photo), parents, found)
    if not path.is_dir():
        name = _as_given(path) if parents else path.name
        return _image(name, path, found)
    found.folders.append(path)
    names, ignored, refused = find_images(path)
    start = f"{_as_given(path)}/" if parents and _as_given(path) else ""
    found.ignored += [start + name for name in ignored]
    found.refused.update({start + name: reason for name, reason in refused.items()})
    return [(start + name, path / name) for name in names]


def _matching(pattern: str, parents: bool, found: Inputs) -> list[tuple[str, Path]]:
    matches = [Path(one) for one in sorted(glob.glob(pattern, recursive=True))]
    files = [path for path in matches if not path.is_dir()]
    if not files:
        raise DataError(f"no image matches {pattern}.")
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    images = []
    for path in files:
        name = _as_given(path) if parents else path.relative_to(fixed).as_posix()
        images += _image(name, path, found)
    return images


def _image(name: str, path: Path, found: Inputs) -> list[tuple[str, Path]]:
    if not name.lower().endswith(IMAGE_SUFFIXES):
        found.ignored.append(name)
        return []
    reason = why_unreadable(path)
    if reason is None:
        return [(name, path)]
    found.refused[name] = reason
    return []


def _as_given(path: Path) -> str:
    """Return a path as a name: ``a/b.jpg`` as it is, one from elsewhere from the root."""
    text = os.path.normpath(path)
    if os.path.isabs(text) or text.split(os.sep, 1)[0] == os.pardir:
        text = os.path.abspath(text).lstrip(os.sep)
    return "" if text == os.curdir else text
