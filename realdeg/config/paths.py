"""Where configs lie, in a source checkout and in an installed package."""

from __future__ import annotations

import os
from pathlib import Path

from realdeg.errors import ConfigError, nearest

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


def find_config(path_or_name: str | os.PathLike[str]) -> Path:
    """Find a config file by its path or its name.

    Args:
        path_or_name: A file; or a name below ``config_root()``, with or without ``.py``, with or
            without its folder where that is unambiguous.

    Returns:
        The file.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    given = Path(path_or_name).expanduser()
    if given.is_file():
        return given
    if given.is_dir():
        raise ConfigError(f"'{given}' is a folder, not a config file: name one file in it.")
    root = config_root()
    name = given.as_posix().removesuffix(".py").removeprefix("./").removeprefix("configs/")
    if not given.is_absolute() and (root / f"{name}.py").is_file():
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
    """Return the name of a recipe below ``config_root()``, or else the file's stem."""
    path = Path(file).resolve()
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
