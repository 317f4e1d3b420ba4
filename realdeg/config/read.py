"""Read a config file: merge its bases and choose the scale. No type is looked up.

A ``.py`` config is a program and is run. YAML, JSON and the configs of run folders are data:
nothing in them is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.config import RESERVED_KEYS

from realdeg.config.find import PER_SCALE, Located, find_recipe, locate, scaled_name, to_scale
from realdeg.config.former import former_block, is_former_block
from realdeg.config.merge import merge_dicts
from realdeg.config.shape import walk
from realdeg.errors import ConfigError, RealdegError, argument_name
from realdeg.utils.data_file import SUFFIXES, check_size, read_assignments, read_data
from realdeg.utils.mmengine_internals import read_program, reading_configs

_BASE = "_base_"
_OWN = "realdeg::"
_MOST_FILES = 32
_SCOPES = ("realdeg", "mmengine")
# What mmengine replaces in the text of a config before it is read.
_SUBSTITUTION = re.compile(r"\{\{\s*['\"]?\s*(?:\$|_base_|file)")


def read_config(located: Located, scale: Any = None, *, imports_given: bool = False) -> Config:
    """Read a config file with its bases.

    Args:
        located: The file, and the scale that its name asks for.
        scale: A scale that an option asks for. It wins where the file comes in that scale.
        imports_given: Whether an option names the imports, so that the ``custom_imports`` of a
            config that is data are ignored.

    Returns:
        The config. Its ``filename`` is the name it goes by.

    Raises:
        ConfigError: If it cannot be read, or is data and asks for code.
    """
    if located.of_run and not is_data(located.file):
        values = _saved_program(located.file, imports_given)
    elif is_data(located.file):
        with replacing_types():
            values = _read_data(located.file, imports_given, [], [])
    elif located.file.suffix == ".py":
        values = _run(located.file)
    else:
        raise ConfigError(
            f"{located.file} is not a config: a config is a .py, .yaml or .json file."
        )
    name = located.name
    if PER_SCALE in values:
        values = _at_scale(values, located, scale)
        name = name.with_name(f"{scaled_name(name.stem, values['scale'])}{name.suffix}")
    elif located.scale not in (None, values.get("scale")):
        raise _no_such_scale(located, [values.get("scale")])
    reserved = sorted(set(RESERVED_KEYS) & set(values))
    if reserved:
        raise ConfigError(f"unknown top-level key '{reserved[0]}' in the config {name}.")
    # `test_dataloader = val_dataloader` in a file is one object, but a later change is to one key.
    return Config(_unshared(values), cfg_text=" ", filename=str(name))


def is_data(file: Path) -> bool:
    """Return whether a config is data rather than a program, by its suffix."""
    return file.suffix.lower() in SUFFIXES


@contextmanager
def replacing_types() -> Iterator[None]:
    """Within the block, have mmengine's ``Config`` replace a dict whose ``type`` changes.

    A ``_base_`` may then be ``realdeg::dml/dml_n8_realsr_x4.py`` from anywhere, or one scale of a
    recipe. A base in YAML or JSON is read as data.
    """

    def find_base(name: str, of: Path) -> Path | None:
        if name.startswith(_OWN):
            own = name.removeprefix(_OWN)
            return Path(own) if is_former_block(own) else find_recipe(own)
        located = None if "::" in name else locate(of.parent / name)
        return None if located is None else located.path

    def read(file: Path) -> ConfigDict | None:
        former = former_block(file.as_posix())
        if former is not None:
            return former
        located = locate(file)
        if located is None or (located.scale is None and not is_data(located.file)):
            return None
        return _read_base(located, False, [], [])

    with reading_configs(merge_dicts, find_base, read):
        yield


def check_data(cfg: Mapping[str, Any], what: str, imports_given: bool = False) -> None:
    """Refuse data that asks for code: an import, a scope, a module's name, a substitution.

    Args:
        cfg: What was read.
        what: The file, for the message.
        imports_given: Whether an option names the imports.

    Raises:
        ConfigError: Naming the place.
    """
    check_size(cfg, what)
    if cfg.get("custom_imports") and not imports_given:
        raise ConfigError(
            f"{what} asks to import {_imports(cfg['custom_imports'])}, and a config that is data"
            " imports nothing. If you trust these modules:"
            f" {argument_name('options')} custom_imports.imports=[...], or install them with an"
            " entry point."
        )
    for place, key, value in walk(cfg):
        if key == "_scope_" and value not in _SCOPES:
            raise ConfigError(
                f"'{place}' in {what} is {value!r}: a scope names a package to import, and a config"
                " that is data imports nothing."
            )
        if key == "type" and isinstance(value, str) and not _registered(value):
            raise ConfigError(
                f"'{place}' in {what} is '{value}', which is not a registered name: a config that"
                " is data names components, never modules or functions."
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


def _saved_program(file: Path, imports_given: bool) -> ConfigDict:
    """Read the ``.py`` config that former versions saved in a run's folder, without running it.

    The copies of top-level fields that were injected into the model are left out.
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


def _read_data(file: Path, imports_given: bool, trail: list[Path], done: list[Path]) -> ConfigDict:
    """Read YAML or JSON with its bases: other data, or realdeg's own recipes, which are run."""
    resolved = file.resolve()
    if resolved in trail:
        raise ConfigError(f"{file} is its own base, through {trail[-1]}: remove the cycle.")
    done.append(resolved)
    if len(done) > _MOST_FILES:
        raise ConfigError(f"the _base_ lists of {done[0]} name more than {_MOST_FILES} files.")
    own = read_data(file)
    bases = own.pop(_BASE, [])
    check_data(own, str(file), imports_given)
    own.pop("custom_imports", None)
    merged = ConfigDict()
    for base in bases if isinstance(bases, list) else [bases]:
        found = former_block(str(base).removeprefix(_OWN))
        if found is None:
            located = _data_base(base, file)
            found = _read_base(located, imports_given, [*trail, resolved], done)
        doubled = sorted(set(merged) & set(found))
        if doubled:
            raise _set_twice(str(file), ", ".join(doubled))
        merged.update(found)
    return ConfigDict(merge_dicts(own, merged))


def _data_base(base: Any, file: Path) -> Located:
    if not isinstance(base, str):
        raise ConfigError(f"'{_BASE}' of {file} holds {base!r}, wanted the name of a file.")
    own = base.startswith(_OWN)
    path = find_recipe(base.removeprefix(_OWN)) if own else file.parent / base
    located = locate(path)
    if not own and not is_data(path if located is None else located.file):
        raise ConfigError(
            f"{file} inherits from '{base}', which is a program: the base of a config that is data"
            f" is a .yaml or .json file, or a recipe of realdeg ('{_OWN}dml/dml_n8_realsr_x4')."
        )
    if located is None:
        raise ConfigError(f"{file} inherits from '{base}', and {path} does not exist.")
    return located


def _read_base(
    located: Located, imports_given: bool, trail: list[Path], done: list[Path]
) -> ConfigDict:
    """Read a file that another one inherits from, at a scale only where its name has one."""
    if is_data(located.file):
        values = _read_data(located.file, imports_given, trail, done)
    else:
        values = ConfigDict(read_program(located.file))
    return values if located.scale is None else _at_scale(values, located)


def _at_scale(values: ConfigDict, located: Located, option: Any = None) -> ConfigDict:
    """Apply what ``per_scale`` gives for one scale: the one asked for, or the file's own."""
    stated = values.get(PER_SCALE) or {}
    try:
        by_scale = {to_scale(str(key)): {**value} for key, value in stated.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"'{PER_SCALE}' of {located.file} is {stated!r:.200}, wanted a dict of dicts by scale:"
            f" {PER_SCALE} = {{2: dict(patch_size=96), 4: dict()}}."
        ) from error
    scale = values.get("scale") if located.scale is None else located.scale
    if type(option) in (int, float) and option in by_scale:
        scale = option
    if scale not in by_scale:
        raise _no_such_scale(located, list(by_scale) or [values.get("scale")], scale)
    rest = {key: value for key, value in values.items() if key != PER_SCALE}
    return ConfigDict(merge_dicts({**by_scale[scale], "scale": scale}, rest))


def _no_such_scale(located: Located, known: list[Any], asked: Any = None) -> ConfigError:
    scale = located.scale if asked is None else asked
    scales = ", ".join(map(str, known))
    return ConfigError(
        f"{located.file} comes in scale {scales}, and scale {scale} is asked for. A recipe lists"
        f" in {PER_SCALE} the other scales it comes in; where it does not,"
        f" {argument_name('options')} scale={scale} changes only the number."
    )


def _set_twice(of: str, keys: str) -> ConfigError:
    return ConfigError(
        f"two files of the _base_ list of {of} set the same key ({keys}): keep one of them, or set"
        " the key in the file itself, where a changed type replaces the dict."
    )


def _run(file: Path) -> ConfigDict:
    try:
        with replacing_types():
            values = read_program(file)
        check_size(values, str(file))
        return ConfigDict(values)
    except RealdegError:
        raise
    except SyntaxError as error:
        # mmengine names a temporary copy of this file or of one it inherits from.
        cause = error.__context__ if isinstance(error.__context__, SyntaxError) else error
        raise ConfigError(
            f"{file}, or a file of its _base_, cannot be read: line {cause.lineno}, {cause.msg}."
            " A config is plain Python."
        ) from error
    except KeyError as error:
        text = str(error.args[0]) if error.args else str(error)
        if "Duplicate key" in text:
            key = text.rsplit(":", 1)[-1].strip()
            raise _set_twice(f"{file} (or of one below it)", key) from error
        raise ConfigError(f"{file} cannot be read: the key {error} is missing.") from error
    except (Exception, SystemExit) as error:  # a config is a program: it may raise anything
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}: {error}") from error


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return ConfigDict({key: _unshared(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(_unshared(item) for item in value)
    return value
