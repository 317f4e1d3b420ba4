"""Cameras by name: those in the package, in a checkout of the repository, and in folders of yours.

A camera is a folder with a self-describing file, ``NAME/camera.safetensors``. A name has small
letters, digits and at least one hyphen, which no registered component has, so it is never both.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from realdeg.errors import ConfigError
from realdeg.utils.data_file import RUN_CONFIG

VARIABLE = "REALDEG_CAMERAS"
"""Names folders of cameras, separated as in ``PATH``."""
FILE = "camera.safetensors"
RESEARCH = ("ntire19-x4", "realsr-v3-canon-x4", "realsr-v3-nikon-x4", "realsr-v3-x4")
"""Cameras learned from data for research, which are not in the package."""

_NAME = re.compile(r"(?=.{3,64}\Z)[a-z0-9]+(-[a-z0-9]+)+")
_PACKAGE = Path(__file__).resolve().parents[1]


def camera_folders() -> list[Path]:
    """Return the folders that are searched: in ``REALDEG_CAMERAS``, the package, the checkout."""
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [*named, _PACKAGE / "cameras", _PACKAGE.parent / "cameras" / "research"]


def find_cameras() -> dict[str, list[Path]]:
    """Return the files of all cameras that are here, by name; more than one file if it is taken."""
    found: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(place.absolute() for place in camera_folders()):
        try:
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError:
            continue
        for name in names:
            file = folder / name / FILE
            if _NAME.fullmatch(name) and file.is_file():
                found.setdefault(name, []).append(file)
    return dict(sorted(found.items()))


def is_camera(text: str | os.PathLike[str]) -> bool:
    """Return whether a string is the name of a camera that is here, or that could be made.

    Args:
        text: From a user or a config.

    Example:
        >>> [is_camera(text) for text in ("realsr-v3-x4", "DML", "some-thing")]
        [True, False, False]
    """
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        return False
    return text in RESEARCH or any((place / text / FILE).is_file() for place in camera_folders())


def camera_file(name: str) -> Path:
    """Return the file of a camera.

    Args:
        name: A name for which :func:`is_camera` is true.

    Raises:
        ConfigError: If it is not here, or the name stands for two things.
    """
    files = find_cameras().get(name, [])
    if not files:
        raise ConfigError(
            f"the camera '{name}' is not in the package, as its data are for research only: make"
            f" it in a checkout of the repository (`python cameras/make.py {name} --data DATA`), or"
            f" name the folder that holds it in {VARIABLE}."
        )
    if len(files) > 1:
        raise ConfigError(
            f"two cameras are called '{name}', {files[0].parent} and {files[1].parent}: give the"
            " path of the one that you mean."
        )
    # Results that were written into a folder of that name are no second camera.
    if any((Path(name) / part).is_file() for part in (FILE, "degradation.safetensors", RUN_CONFIG)):
        raise ConfigError(
            f"'{name}' is a camera ({files[0].parent}) and a folder here: write"
            f" .{os.sep}{name} for the folder, or the path of the camera."
        )
    return files[0]
