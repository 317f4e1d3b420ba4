"""The files of a data set, before any of them is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from realdeg.errors import ConfigError, DataError, as_given
from realdeg.synthesis.stores import is_address
from realdeg.utils.image import ImageFile
from realdeg.utils.image_files import list_images as list_images
from realdeg.utils.samples import Meta

DEFAULT_ROOT = Path("data")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Record:
    """One image or one pair.

    Args:
        key: Its name, unique in the data set.
        hr: The HR file, or what stands for it (a member of a tar file).
        lr: The same for LR, if it is a pair.
        meta: Other information (camera, scene), plain data.
    """

    key: str
    hr: ImageFile
    lr: ImageFile | None = None
    meta: Meta = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A fault of one file.

    Args:
        path: The missing or damaged file.
        reason: The fault, as the end of a sentence that starts with the path.
    """

    path: ImageFile
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def resolve(path: str | Path, data_root: str | Path | None) -> Path:
    """Resolve a path in a config relative to the data root, or else to the current folder.

    ``~`` is expanded and an absolute path stays. The current folder is used if the path exists
    there and not below the data root.

    Raises:
        ConfigError: If it is an address.
    """
    if is_address(str(path)):
        raise ConfigError(
            f"{path} is an address, and a folder is needed here: PairedShardDataset and"
            " HRShardDataset read from stores."
        )
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
        candidates: Possible paths.
        what: The folder's purpose, as the start of the message.
        remedy: What to set in the config.

    Raises:
        DataError: If none exists, naming all candidates.
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
    """Return the folder ``name`` in ``parent``, ignoring case, or None."""
    exact = parent / name
    if exact.is_dir():
        return exact
    if not parent.is_dir():
        return None
    matches = (entry for entry in sorted(parent.iterdir()) if entry.name.lower() == name.lower())
    return next((entry for entry in matches if entry.is_dir()), None)


def chosen_names(found: Mapping[str, _T], names: Sequence[str], where: str) -> dict[str, _T]:
    """Return the entries of the given names, in the order of ``found``.

    Args:
        found: What there is, by name.
        names: The names wanted.
        where: The place, as the start of the message.

    Raises:
        DataError: If one of them is not there.
    """
    absent = sorted(set(names) - set(found))
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise DataError(f"{where} has no image {', '.join(absent[:3])}{more}, which 'names' lists.")
    wanted = set(names)
    return {name: entry for name, entry in found.items() if name in wanted}
