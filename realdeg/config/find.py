"""Where configs are, in a source checkout and in an installed package, and what they are called.

A recipe with ``per_scale`` is one file with several names: ``dml/dml_n8_realsr_x2``, or
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
"""The key of a recipe that lists the scales it comes in, and what differs between them."""
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
    """The path it goes by; it contains the scale where one was asked for."""
    scale: Scale | None = None
    """The scale that was asked for by name."""
    of_run: bool = False
    """Whether it was found in a run's folder."""

    @property
    def path(self) -> Path:
        """The path by which :func:`locate` finds the same file and scale."""
        return self.file if self.scale is None else Path(at_scale(self.file, self.scale))


def config_root() -> Path:
    """Return the folder of the recipes that come with realdeg.

    That is ``configs/`` beside the package in a source checkout, and ``realdeg/_configs`` in an
    installation. It holds ``_base_`` and one folder per method.

    Raises:
        ConfigError: If neither exists.
    """
    package = Path(__file__).resolve().parent.parent
    candidates = (package / "_configs", package.parent / "configs")
    for folder in candidates:
        if (folder / _MARK).is_file():
            return folder
    searched = " and ".join(str(folder) for folder in candidates)
    raise ConfigError(f"the configs that come with realdeg are missing: searched {searched}.")


def list_configs() -> list[str]:
    """Return the sorted names of all recipes, such as ``dml/dml_n8_realsr_x4``, one per scale."""
    root, names = config_root(), set()
    for file in root.rglob("*.py"):
        name = file.relative_to(root).with_suffix("").as_posix()
        if name.startswith("_base_/") or name.endswith("__init__"):
            continue
        scales = _stated_scales(file)
        names |= {scaled_name(name, scale) for scale in scales} if scales else {name}
    return sorted(names)


def at_scale(config: str | os.PathLike[str], scale: Scale) -> str:
    """Return the name of a recipe at another scale, ``mine.py@x2``."""
    return f"{os.fspath(config)}@x{scale:g}"


def scaled_name(name: str, scale: Scale) -> str:
    """Return the name of a recipe with this scale at its end, replacing the one that is there."""
    scaled = _SCALED.fullmatch(name)
    return f"{scaled['stem'] if scaled else name}_x{scale:g}"


def to_scale(text: str) -> Scale:
    """Parse a scale such as ``"2"`` or ``"2.5"``."""
    return float(text) if "." in text else int(text)


def locate(path: Path) -> Located | None:
    """Find the file that a path names, and the scale that it asks for.

    Args:
        path: A file. Where no such file exists, the path of one with ``per_scale`` followed by a
            scale: ``mine.py@x2`` or ``mine_x2.py`` for ``mine.py``.

    Returns:
        The file, or None if there is none.
    """
    if os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
        return Located(path, path)
    asked = _AT.fullmatch(path.name)
    named = path.with_name(asked["name"]) if asked else path
    suffix = named.suffix if named.suffix in (".py", ".yaml", ".yml", ".json") else ".py"
    whole = named.name.removesuffix(suffix)
    scaled = _SCALED.fullmatch(whole)
    match = asked or scaled
    if match is None:
        return None
    scale = to_scale(match["scale"])
    stem = scaled["stem"] if scaled else whole
    name = path.with_name(f"{stem}_x{scale:g}{suffix}")
    if os.path.isfile(name):
        return Located(name, name)
    candidates = [path.with_name(f"{stem}{suffix}")]
    if asked and named.name != name.name:
        candidates.append(path.with_name(f"{whole}{suffix}"))
    with suppress(OSError, ValueError):  # no folder can have that name
        candidates += sorted(path.parent.glob(f"{escape(stem)}_x*{suffix}"))
    for file in candidates:
        if os.path.isfile(file) and (asked or scale in _stated_scales(file)):
            return Located(file, name, scale)
    return None


def find_recipe(name: str) -> Path:
    """Find a file of ``config_root()``, and of nowhere else.

    Args:
        name: A name below it such as ``dml/dml_n8_realsr_x4``, with or without ``.py``.

    Returns:
        The path by which :func:`locate` finds it.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    root = config_root().resolve()
    stem = name.removesuffix(".py")
    located = None
    if (root / stem).resolve().is_relative_to(root):
        located = locate(root / (stem if _AT.fullmatch(stem) else f"{stem}.py"))
    if located is None or not located.file.resolve().is_relative_to(root):
        raise ConfigError(f"realdeg has no recipe '{stem}'.{nearest(stem, list_configs())}")
    return located.path


def find_config(path_or_name: str | os.PathLike[str]) -> Path:
    """Find a config file by its path or its name.

    Args:
        path_or_name: A file; the folder of a run; or a name below ``config_root()``, with or
            without ``.py``, with or without its folder where that is unambiguous. ``@x2`` after a
            file or a name asks for another scale.

    Returns:
        The file. For one scale of a recipe with ``per_scale``, a path with that scale in it,
        ``.../dml_n8_realsr_x2.py``, which ``load_config`` accepts as well.

    Raises:
        ConfigError: If there is none, naming the nearest.
    """
    return find(path_or_name).name


def find(path_or_name: str | os.PathLike[str]) -> Located:
    """Find a config as :func:`find_config` does, with its name and the scale asked for."""
    given = Path(path_or_name)
    if given.parts[:1] == ("~",):
        given = given.expanduser()
    if os.path.isdir(given):
        return _of_run(given)
    asked = _AT.fullmatch(given.as_posix())
    if asked and os.path.isdir(asked["name"]):
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
    hint = hint or nearest(short, [candidate.rsplit("/", 1)[-1] for candidate in known])
    folders = "/, ".join(sorted({candidate.split("/")[0] for candidate in known}))
    raise ConfigError(
        f"no config '{path_or_name}': neither a file nor a name below {root}."
        f"{hint or f' Names begin with {folders}/.'} `realdeg list configs` shows all."
    )


def _of_run(folder: Path) -> Located:
    """Find a run's ``config.yaml``, or the one ``.py`` file that former versions saved."""
    saved = folder / RUN_CONFIG
    programs = sorted(folder.glob("*.py"))
    if saved.is_file() or len(programs) == 1:
        file = saved if saved.is_file() else programs[0]
        return Located(file, file, of_run=True)
    found = f"several ({', '.join(file.name for file in programs)})" if programs else "none"
    raise ConfigError(
        f"'{folder}' is a folder, not a config file, and not a run's folder: looked for"
        f" {RUN_CONFIG} or one .py, found {found}. Name one file in it."
    )


def config_name(file: str | os.PathLike[str]) -> str:
    """Return the name of a recipe below ``config_root()``, or else the file's stem.

    A run's saved config goes by the name of its folder.
    """
    path = Path(file).resolve()
    if path.name == RUN_CONFIG:
        return path.parent.name
    with suppress(ValueError, ConfigError):
        return path.relative_to(config_root()).with_suffix("").as_posix()
    return path.stem


def sibling(name: str, *, same_size: bool, scale: float) -> str | None:
    """Return the recipe related to ``name`` that has another geometry, or None.

    Args:
        name: A recipe such as ``dml/dml_n8_realsr_x4``.
        same_size: Whether LR lies on the HR grid (``realsr``) or not (``realsrv3``).
        scale: The scale wanted.
    """
    folder, slash, stem = name.rpartition("/")
    parts = stem.split("_")
    for index, part in enumerate(parts):
        if part in ("realsr", "realsrv3"):
            parts[index] = "realsr" if same_size else "realsrv3"
        elif part[:1] == "x" and part[1:].isdigit():
            parts[index] = f"x{scale}"
    candidate = f"{folder}{slash}{'_'.join(parts)}"
    return candidate if candidate != name and candidate in list_configs() else None


def _stated_scales(file: Path) -> list[Scale]:
    """Return the scales that a Python config lists in ``per_scale``, without running it."""
    try:
        text = file.read_text(encoding="utf-8")
        lines = ast.parse(text).body if PER_SCALE in text and file.suffix == ".py" else []
    except (OSError, ValueError, SyntaxError):
        return []  # reading it reports what is wrong
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Dict):
            if [getattr(target, "id", "") for target in line.targets] == [PER_SCALE]:
                keys = [getattr(key, "value", None) for key in line.value.keys]
                return [key for key in keys if isinstance(key, int | float)]
    return []
