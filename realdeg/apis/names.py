"""Which images a folder holds, and what their results are called."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from realdeg.errors import DataError
from realdeg.utils.image import IMAGE_SUFFIXES


def find_images(folder: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """List the images below a folder.

    Args:
        folder: The folder.

    Returns:
        Sorted relative names (with ``/``) of images, and of other files, hidden ones left out;
        and what cannot be looked at, with the reason.

    Raises:
        DataError: If there is no folder or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    names: list[str] = []
    ignored: list[str] = []
    refused: dict[str, str] = {}
    seen: set[str] = set()

    def closed(error: OSError) -> None:
        name = os.path.relpath(str(error.filename), folder)
        refused[name] = f"the folder cannot be read: {error.strerror or error}."

    for root, folders, files in os.walk(folder, followlinks=True, onerror=closed):
        # A link to a folder above would be followed for ever.
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
            elif reason := _no_file(path):
                refused[name] = reason
            else:
                names.append(name)
    if not names and not refused:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise DataError(f"the folder {folder} holds no image ({kinds}).")
    return sorted(names), sorted(ignored), refused


def _no_file(path: Path) -> str | None:
    """Say why a path is no file that can be read to its end, or nothing where it is one."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot read it: {error.strerror or error}."
    return None if stat.S_ISREG(mode) else "it is a pipe, a socket or a device, and no file."


def possible_outputs(name: str) -> tuple[str, str]:
    """Return the names that :func:`plan_outputs` may give to the result of an image."""
    return os.path.splitext(name)[0] + ".png", name + ".png"


def plan_outputs(names: Sequence[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Give every image the name of its PNG file.

    ``a.jpg`` becomes ``a.png``. Where two images would meet (``a.png`` beside ``a.jpg``), the
    PNG file keeps the name and the other one becomes ``a.jpg.png``. Names given before stay, so
    an image that is added later renames nothing.

    Args:
        names: Relative names of the images.
        fixed: Names given before, by image.

    Returns:
        The output by image; an image for which no name is left is missing.
    """
    outputs = {name: fixed[name] for name in names if name in fixed}
    taken = set(fixed.values())
    wanted: dict[str, list[str]] = {}
    for name in names:
        if name not in outputs:
            wanted.setdefault(possible_outputs(name)[0], []).append(name)
    for output, rivals in wanted.items():
        first = [name for name in rivals if name == output] or (rivals if len(rivals) == 1 else [])
        if first and output not in taken:
            outputs[first[0]] = output
            taken.add(output)
    for rivals in wanted.values():
        for name in rivals:
            longer = possible_outputs(name)[1]
            if name not in outputs and longer not in taken:
                outputs[name] = longer
                taken.add(longer)
    return outputs
