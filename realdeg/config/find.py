"""Where configs lie, in a source checkout and in an installed package, and what they are called.

A recipe that says ``per_scale`` is one file and several names: ``dml/dml_n8_realsr_x2``, or
``dml/dml_n8_realsr@x2``, is ``dml/dml_n8_realsr.py`` at scale 2.
"""

from __future__ import annotations

import ast
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TypeAlias

from realdeg.errors import ConfigError, nearest
from realdeg.utils.data_file import RUN_CONFIG

PER_SCALE = "per_scale"
"""The key of a recipe that says which scales it comes in, and what differs between them."""
Scale: TypeAlias = int | float
_MARK = Path("_base_") / "default_runtime.py"
_SCALED = re.compile(r"(?P<stem>.+)_x(?P<scale>\d+(\.\d+)?)")
_AT = re.compile(r"(?P<name>.+)@x(?P<scale>\d+(\.\d+)?)", re.DOTALL)


@dataclass(frozen=True)
class Located:
    """A config file, and what it is called."""

    file: Path
    """The file that is read."""
    name: Path
    """The path that it goes by: where a scale was asked for, with the scale in it."""
    scale: Scale | None = None
    """The scale that was asked for by name."""

    @property
    def path(self) -> Path:
        """The path that :func:`locate` finds the same by."""
        return self.file if self.scale is None else Path(at_scale(self.file, self.scale))


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
    """Return the names of all recipes, such as ``dml/dml_n8_realsr_x4``, sorted.

    A recipe that comes in several scales has a name for each.
    """
    root, names = config_root(), set()
    for file in root.rglob("*.py"):
        name = file.relative_to(root).with_suffix("").as_posix()
        if name.startswith("_base_/") or name.endswith("__init__"):
            continue
        scales = _stated_scales(file)
        names |= {scaled_name(name, scale) for scale in scales} if scales else {name}
    return sorted(names)


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


def at_scale(config: str | os.PathLike[str], scale: Scale) -> str:
    """Return the name of a recipe at another scale, ``mine.py@x2``."""
    return f"{os.fspath(config)}@x{scale:g}"


def locate(path: Path) -> Located | None:
    """Find the file that a path stands for, and the scale that its name asks for.

    Args:
        path: A file; or, without such a file, the path of one that says ``per_scale`` with a scale
            behind it: of ``mine.py``, ``mine_x2.py`` or ``mine.py@x2``.

    Returns:
        The file, or None if there is none.
    """
    if is_file(path):
        return Located(path, path)
    asked = _AT.fullmatch(path.name)
    named = path.with_name(asked["name"]) if asked else path
    suffix = named.suffix if named.suffix in (".py", ".yaml", ".yml", ".json") else ".py"
    whole = named.name.removesuffix(suffix)
    scaled = _SCALED.fullmatch(whole)
    if asked is None and scaled is None:
        return None
    scale = to_scale((asked or scaled)["scale"])  # type: ignore[index]
    stem = scaled["stem"] if scaled else whole
    name = path.with_name(f"{stem}_x{scale:g}{suffix}")
    if is_file(name):
        return Located(name, name)
    candidates = [path.with_name(f"{stem}{suffix}")]
    if asked and named.name != name.name:
        candidates.append(path.with_name(f"{whole}{suffix}"))
    with suppress(OSError, ValueError):  # no folder can have that name
        candidates += sorted(path.parent.glob(f"{escape(stem)}_x*{suffix}"))
    for file in candidates:
        if is_file(file) and (asked or scale in _stated_scales(file)):
            return Located(file, name, scale)
    return None


def find_recipe(name: str) -> Path:
    """Find a file of ``config_root()``, and of nowhere else.

    Args:
        name: A name below it such as ``dml/dml_n8_realsr_x4``, with or without ``.py``.

    Returns:
        The path that :func:`locate` finds it by.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    root = config_root().resolve()
    stem = name.removesuffix(".py")
    path = root / (stem if _AT.fullmatch(stem) else f"{stem}.py")
    if path.resolve().is_relative_to(root):
        located = locate(path)
        if located is not None and located.file.resolve().is_relative_to(root):
            return located.path
    raise ConfigError(f"realdeg has no recipe '{stem}'.{nearest(stem, list_configs())}")


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
    """Return the path that a config goes by, as :func:`find` finds it.

    Args:
        path_or_name: As for :func:`find`.

    Returns:
        The file. For one scale of a recipe with ``per_scale``, the path that this scale goes by,
        ``.../dml_n8_realsr_x2.py``: ``load_config`` takes it, too.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    return find(path_or_name).name


def find(path_or_name: str | os.PathLike[str]) -> Located:
    """Find a config file by its path or its name.

    Args:
        path_or_name: A file; the folder of a run; or a name below ``config_root()``, with or
            without ``.py``, with or without its folder where that is unambiguous. ``@x2`` behind a
            file or a name asks for another scale.

    Returns:
        The file, what it is called, and the scale that was asked for.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    given = Path(path_or_name)
    if given.parts[:1] == ("~",):
        given = given.expanduser()
    if is_folder(given):
        run = find_run(given)
        return Located(run, run)
    of_run = _AT.fullmatch(given.as_posix())
    if of_run and is_folder(Path(of_run["name"])):
        raise ConfigError(f"'{path_or_name}': a run has one scale; name its recipe instead.")
    located = locate(given)
    if located is not None:
        return located
    root = config_root()
    name = given.as_posix().removeprefix("./").removeprefix("configs/")
    asked = _AT.fullmatch(name)
    located = locate(root / (name if asked else f"{name.removesuffix('.py')}.py"))
    if located is not None and not given.is_absolute():
        return located
    name = scaled_name(asked["name"], to_scale(asked["scale"])) if asked else name
    name = name.removesuffix(".py")
    known = list_configs()
    short = name.rsplit("/", 1)[-1]
    matches = [candidate for candidate in known if candidate.rsplit("/", 1)[-1] == short]
    only = locate(root / f"{matches[0]}.py") if "/" not in name and len(matches) == 1 else None
    if only is not None:
        return only
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


def _stated_scales(file: Path) -> list[Scale]:
    """Return the scales that a Python config says it comes in, without running it."""
    try:
        text = file.read_text(encoding="utf-8")
        lines = ast.parse(text).body if PER_SCALE in text and file.suffix == ".py" else []
    except (OSError, ValueError, SyntaxError):
        return []  # whoever reads it says what is wrong with it
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Dict):
            if [getattr(target, "id", "") for target in line.targets] == [PER_SCALE]:
                keys = [getattr(key, "value", None) for key in line.value.keys]
                return [key for key in keys if isinstance(key, int | float)]
    return []


def scaled_name(name: str, scale: Scale) -> str:
    """Return the name of a recipe with a scale at its end, in the place of another one."""
    scaled = _SCALED.fullmatch(name)
    return f"{scaled['stem'] if scaled else name}_x{scale:g}"


def to_scale(text: str) -> Scale:
    """Return the number that a text such as ``"2"`` or ``"2.5"`` stands for."""
    return float(text) if "." in text else int(text)
