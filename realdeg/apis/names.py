"""Find the images of a folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from realdeg.errors import DataError
from realdeg.utils.image import IMAGE_SUFFIXES


def find_images(folder: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """List the images in a folder and its sub-folders, without hidden files.

    Returns:
        Sorted relative names (with ``/``) of images, those of other files, and the reasons by
        name of what cannot be read.

    Raises:
        DataError: If there is no folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    names: list[str] = []
    ignored: list[str] = []
    refused: dict[str, str] = {}
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(str(error.filename), folder)
        refused[name] = f"the folder cannot be read: {error.strerror or error}."

    for root, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        # A link to a parent folder would be followed forever.
        real = os.path.realpath(root)
        folders[:] = [] if real in seen else [name for name in folders if name[0] != "."]
        files = [] if real in seen else files
        seen.add(real)
        for file in files:
            if file.startswith("."):
                continue
            path = Path(root) / file
            name = path.relative_to(folder).as_posix()
            if not name.lower().endswith(IMAGE_SUFFIXES):
                ignored.append(name)
            elif reason := why_unreadable(path):
                refused[name] = reason
            else:
                names.append(name)
    if not names and not refused:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise DataError(f"the folder {folder} contains no images ({kinds}).")
    return sorted(names), sorted(ignored), refused


def why_unreadable(path: Path) -> str | None:
    """Return why a path is not a file that can be read to its end, or None if it is."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot read it: {error.strerror or error}."
    return None if stat.S_ISREG(mode) else "it is a pipe, a socket or a device, not a file."
