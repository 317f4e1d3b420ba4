"""What a data set knows of its files before any of them is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from realdeg.errors import DataError, as_given
from realdeg.utils.image import IMAGE_SUFFIXES
from realdeg.utils.samples import Meta

DEFAULT_ROOT = Path("data")


@dataclass(frozen=True)
class Record:
    """One image or one pair.

    Args:
        key: Its name, unique in the data set.
        hr: The HR file.
        lr: The LR file, if it is a pair.
        meta: What else is known of it (camera, scene), plain data.
    """

    key: str
    hr: Path
    lr: Path | None = None
    meta: Meta = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one file.

    Args:
        path: The file.
        reason: What is wrong, to be read after the path.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def resolve(path: str | Path, data_root: str | Path | None) -> Path:
    """Return a path that a config gave, seen from the data root.

    Args:
        path: As given; ``~`` is expanded, an absolute path stays.
        data_root: The folder of all data sets; None means ``./data``.

    Returns:
        The path. One that exists from the current folder but not below the data root is taken
        from the current folder.
    """
    given = Path(path).expanduser()
    if given.is_absolute():
        return given
    below = root_of(data_root) / given
    return given if given.exists() and not below.exists() else below


def root_of(data_root: str | Path | None) -> Path:
    """Return the folder of all data sets, ``./data`` by default."""
    return DEFAULT_ROOT if data_root is None else Path(data_root).expanduser()


def find_folder(candidates: Sequence[Path], what: str, remedy: str) -> Path:
    """Return the first candidate that is a folder.

    Args:
        candidates: Where it may be.
        what: What is looked for, as it begins the message.
        remedy: What to set in the config.

    Returns:
        The folder.

    Raises:
        DataError: If none is there, naming each place that was looked at.
    """
    for folder in candidates:
        if folder.is_dir():
            return folder
    places = ", ".join(str(folder) for folder in candidates)
    raise DataError(f"{what} was not found: looked for {places}. {remedy} {sample_hint()}")


def sample_hint() -> str:
    """Return the advice that ends messages about missing images."""
    return f"Or add {as_given(sample=True)} to try the recipe on the built-in images."


def subfolder(parent: Path, name: str) -> Path | None:
    """Return the folder ``name`` in ``parent``, letter case aside, or None."""
    exact = parent / name
    if exact.is_dir():
        return exact
    if not parent.is_dir():
        return None
    matches = (entry for entry in sorted(parent.iterdir()) if entry.name.lower() == name.lower())
    return next((entry for entry in matches if entry.is_dir()), None)


def list_images(folder: Path, recursive: bool = False) -> dict[str, Path]:
    """List the images of a folder by name.

    Args:
        folder: Where to look.
        recursive: Whether to look into its folders as well.

    Returns:
        Path relative to ``folder`` without the suffix, to file; sorted. Hidden files are left out.

    Raises:
        DataError: If two images have the same name and differ in the suffix.
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
