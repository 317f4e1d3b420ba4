"""Configs that are data: YAML, JSON, and what a run's folder holds. Nothing in them is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from realdeg.config.paths import find_recipe, is_file
from realdeg.config.schema import walk
from realdeg.errors import ConfigError
from realdeg.utils.data_file import SUFFIXES, check_size, read_assignments, read_data
from realdeg.utils.mmengine_internals import read_program

_BASE = "_base_"
_OWN = "realdeg::"
_MOST_FILES = 32
_SCOPES = ("realdeg", "mmengine")
# What mmengine replaces in the text of a config before it is read.
_SUBSTITUTION = re.compile(r"\{\{\s*['\"]?\s*(?:\$|_base_|file)")


def is_data(file: Path) -> bool:
    """Say whether a config is data rather than a program, by its suffix."""
    return file.suffix.lower() in SUFFIXES


def read_data_config(file: Path, imports_given: bool = False) -> ConfigDict:
    """Read a YAML or JSON config with its bases.

    A base is another YAML or JSON file, or a recipe that comes with realdeg
    (``realdeg::dml/dml_n8_realsr_x4``); the latter is the only program that is run.

    Args:
        file: The file.
        imports_given: Whether the user has said what to import, so that the file's own
            ``custom_imports`` do not count.

    Returns:
        The merged config.

    Raises:
        ConfigError: If it cannot be read, or asks for code.
    """
    return _read(file, imports_given, [], [])


def read_saved_program(file: Path, imports_given: bool = False) -> ConfigDict:
    """Read the ``.py`` config that former versions saved in a run's folder, without running it.

    Args:
        file: The file.
        imports_given: Whether the user has said what to import.

    Returns:
        The config as it was said, without the copies that were handed to model and data.

    Raises:
        ConfigError: If it holds more than literals.
    """
    cfg = read_assignments(file)
    check_data(cfg, str(file), imports_given)
    cfg.pop("custom_imports", None)
    model = cfg.get("model")
    if isinstance(model, dict):
        for key in ("degradation", "backbone", "scale", "same_size"):
            model.pop(key, None)
    for key in ("work_dir", "launcher", "resume", "device"):
        cfg.pop(key, None)
    return ConfigDict(cfg)


def check_data(cfg: Mapping[str, Any], what: str, imports_given: bool = False) -> None:
    """Refuse data that asks for code.

    Args:
        cfg: What was read.
        what: The file, for the message.
        imports_given: Whether the user has said what to import.

    Raises:
        ConfigError: If it names an import, a scope, a type with dots or mmengine's substitutions.
    """
    check_size(cfg, what)
    if cfg.get("custom_imports") and not imports_given:
        raise ConfigError(
            f"{what} asks to import {_imports(cfg['custom_imports'])}, and a config that is data"
            " imports nothing. If you trust these modules:"
            " --cfg-options custom_imports.imports=[...], or install them with an entry point."
        )
    for place, key, value in walk(cfg):
        if key == "_scope_" and value not in _SCOPES:
            raise ConfigError(
                f"'{place}' in {what} is {value!r}: a scope names a package to import, and a config"
                " that is data imports nothing."
            )
        if key == "type" and isinstance(value, str) and not _registered(value):
            raise ConfigError(
                f"'{place}' in {what} is '{value}', which is no registered name: a config that is"
                " data names components, never modules or functions."
            )
        if isinstance(value, str) and _SUBSTITUTION.search(value):
            raise ConfigError(
                f"'{place}' in {what} is '{value}': {{{{ }}}} is filled in only in .py configs."
            )


def _registered(name: str) -> bool:
    scope, dot, rest = name.partition(".")
    return not dot or (scope in _SCOPES and "." not in rest)


def _imports(custom: Any) -> str:
    named = custom.get("imports") if isinstance(custom, Mapping) else custom
    names = named if isinstance(named, list | tuple) else [named]
    return ", ".join(str(name) for name in names)


def _read(file: Path, imports_given: bool, trail: list[Path], done: list[Path]) -> ConfigDict:
    from realdeg.config.merge import merge_dicts

    resolved = file.resolve()
    if resolved in trail:
        raise ConfigError(f"{file} is its own base, by way of {trail[-1]}: remove the circle.")
    done.append(resolved)
    if len(done) > _MOST_FILES:
        raise ConfigError(f"the _base_ lists of {done[0]} name more than {_MOST_FILES} files.")
    own = read_data(file)
    bases = own.pop(_BASE, [])
    check_data(own, str(file), imports_given)
    own.pop("custom_imports", None)
    merged = ConfigDict()
    for base in bases if isinstance(bases, list) else [bases]:
        found = _base(base, file, imports_given, [*trail, resolved], done)
        doubled = sorted(set(merged) & set(found))
        if doubled:
            raise ConfigError(
                f"two files of the _base_ list of {file} set the same key ({', '.join(doubled)}):"
                " keep one of them, or set the key in the file itself, where a changed type"
                " replaces the dict."
            )
        merged.update(found)
    return ConfigDict(merge_dicts(own, merged))


def _base(
    base: Any, file: Path, imports_given: bool, trail: list[Path], done: list[Path]
) -> ConfigDict:
    if not isinstance(base, str):
        raise ConfigError(f"'{_BASE}' of {file} holds {base!r}, wanted the name of a file.")
    if base.startswith(_OWN):
        return ConfigDict(read_program(find_recipe(base.removeprefix(_OWN))))
    path = file.parent / base
    if not is_data(path):
        raise ConfigError(
            f"{file} inherits from '{base}', which is a program: the base of a config that is data"
            f" is a .yaml or .json file, or a recipe of realdeg ('{_OWN}dml/dml_n8_realsr_x4')."
        )
    if not is_file(path):
        raise ConfigError(f"{file} inherits from '{base}', and {path} does not exist.")
    return _read(path, imports_given, trail, done)
