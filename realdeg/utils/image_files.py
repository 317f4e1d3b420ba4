"""The image files of a folder."""

from __future__ import annotations

from pathlib import Path

from realdeg.errors import DataError
from realdeg.utils.image import IMAGE_SUFFIXES


def list_images(folder: Path, recursive: bool = False) -> dict[str, Path]:
    """List the images of a folder, optionally of its subfolders; hidden files are omitted.

    Returns:
        Files by their path relative to ``folder`` without the suffix, sorted.

    Raises:
        DataError: If two images differ only in the suffix.
    """
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        if file.name.startswith(".") or file.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        key = file.relative_to(folder).with_suffix("").as_posix()
        if key in found:
            raise DataError(
                f"{folder} holds {found[key].name} and {file.name}, two images of one name:"
                " remove one of them."
            )
        found[key] = file
    return found
