"""Where configs lie, in a source checkout and in an installed package."""

from __future__ import annotations

import os
from pathlib import Path

from realdeg.errors import ConfigError, nearest
from realdeg.utils.data_file import RUN_CONFIG

_MARK = Path("_base_") / "default_runtime.py"


def config_root() -> Path:
    """Return the folder of the recipes that come with realdeg.

    ``configs/`` beside the package in a source checkout, ``realdeg/_configs`` where it is
    installed.

    Returns:
        The folder that holds ``_base_`` and one folder per method.

    Raises:
        ConfigError: If neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    candidates = (package / "_configs", package.parent / "configs")
    for folder in candidates:
        if (folder / _MARK).is_file():
            return folder
    searched = " and ".join(str(folder) for folder in candidates)
    raise ConfigError(f"the configs that come with realdeg are missing: searched {searched}.")


def list_configs() -> list[str]:
    """Return the names of all recipes, such as ``dml/dml_n8_realsr_x4``, sorted."""
    root = config_root()
    names = (file.relative_to(root).with_suffix("").as_posix() for file in root.rglob("*.py"))
    return sorted(
        name for name in names if not name.startswith("_base_/") and not name.endswith("__init__")
    )


def is_file(path: Path) -> bool:
    """Say whether a path names a regular file; one that no file can have does not."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with characters that no name has
        return False


def is_folder(path: Path) -> bool:
    """Say whether a path names a folder; one that no folder can have does not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def find_recipe(name: str) -> Path:
    """Find a file of ``config_root()``, and of nowhere else.

    Args:
        name: A name below it such as ``dml/dml_n8_realsr_x4``, with or without ``.py``.

    Returns:
        The file.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    root = config_root().resolve()
    file = (root / f"{name.removesuffix('.py')}.py").resolve()
    if not file.is_relative_to(root) or not is_file(file):
        stem = name.removesuffix(".py")
        raise ConfigError(f"realdeg has no recipe '{stem}'.{nearest(stem, list_configs())}")
    return file


def find_run(folder: str | os.PathLike[str]) -> Path:
    """Find the config that a run saved in its folder.

    Args:
        folder: A work dir.

    Returns:
        Its ``config.yaml``, or the one ``.py`` file that former versions saved.

    Raises:
        ConfigError: If there is neither, or several of the latter.
    """
    place = Path(folder)
    if is_file(place / RUN_CONFIG):
        return place / RUN_CONFIG
    programs = sorted(place.glob("*.py"))
    if len(programs) == 1:
        return programs[0]
    found = f"several ({', '.join(file.name for file in programs)})" if programs else "none"
    raise ConfigError(
        f"'{place}' is a folder, not a config file, and no run's folder: looked for {RUN_CONFIG}"
        f" or one .py, found {found}. Name one file in it."
    )


def run_weights(folder: str | os.PathLike[str], kind: str) -> Path | None:
    """Return the self-describing weights in a run's folder.

    Args:
        folder: Any path.
        kind: ``"degradation"`` or ``"backbone"``.

    Returns:
        The file, or None if it is no folder, or holds none.
    """
    file = Path(folder) / f"{kind}.safetensors"
    return file if is_file(file) else None


def find_config(path_or_name: str | os.PathLike[str]) -> Path:
    """Find a config file by its path or its name.

    Args:
        path_or_name: A file; the folder of a run; or a name below ``config_root()``, with or
            without ``.py``, with or without its folder where that is unambiguous.

    Returns:
        The file.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    given = Path(path_or_name)
    if given.parts[:1] == ("~",):
        given = given.expanduser()
    if is_file(given):
        return given
    if is_folder(given):
        return find_run(given)
    root = config_root()
    name = given.as_posix().removesuffix(".py").removeprefix("./").removeprefix("configs/")
    if not given.is_absolute() and is_file(root / f"{name}.py"):
        return root / f"{name}.py"
    known = list_configs()
    short = name.rsplit("/", 1)[-1]
    matches = [candidate for candidate in known if candidate.rsplit("/", 1)[-1] == short]
    if "/" not in name and len(matches) == 1:
        return root / f"{matches[0]}.py"
    hint = nearest(name, known)
    if matches:
        hint = " Did you mean " + " or ".join(f"'{match}'" for match in matches) + "?"
    elif not hint:
        hint = nearest(short, [candidate.rsplit("/", 1)[-1] for candidate in known])
    if not hint:
        folders = sorted({candidate.split("/")[0] for candidate in known})
        hint = f" Names begin with {'/, '.join(folders)}/."
    raise ConfigError(
        f"no config '{path_or_name}': neither a file nor a name below {root}.{hint}"
        " `realdeg list configs` shows all."
    )


def config_name(file: str | os.PathLike[str]) -> str:
    """Return the name of a recipe below ``config_root()``, or else the file's stem.

    A run's saved config goes by the name of its folder.
    """
    path = Path(file).resolve()
    if path.name == RUN_CONFIG:
        return path.parent.name
    try:
        relative = path.relative_to(config_root())
    except (ValueError, ConfigError):
        return path.stem
    return relative.with_suffix("").as_posix()


def sibling(name: str, *, same_size: bool, scale: float) -> str | None:
    """Name the recipe that is like ``name`` but of another geometry.

    Args:
        name: A recipe such as ``dml/dml_n8_realsr_x4``.
        same_size: Whether LR lies on the HR grid (``realsr``) or not (``realsrv3``).
        scale: The scale wanted.

    Returns:
        Its name, or None where there is no such recipe.
    """
    known = list_configs()
    folder, _, stem = name.rpartition("/")
    data = "realsr" if same_size else "realsrv3"
    parts = stem.split("_")
    for index, part in enumerate(parts):
        if part in ("realsr", "realsrv3"):
            parts[index] = data
        elif part[:1] == "x" and part[1:].isdigit():
            parts[index] = f"x{scale}"
    wanted = "_".join(parts)
    candidate = f"{folder}/{wanted}" if folder else wanted
    return candidate if candidate != name and candidate in known else None
