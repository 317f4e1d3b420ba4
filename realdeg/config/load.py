"""Read a config file: find it, merge its bases and the command line, and check it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.config import RESERVED_KEYS

from realdeg.config.data import is_data, read_data_config, read_saved_program
from realdeg.config.merge import (
    Dropped,
    apply_options,
    collecting_dropped,
    log_dropped,
    replacing_types,
)
from realdeg.config.paths import config_name, find_config, is_folder
from realdeg.config.places import look_up
from realdeg.config.validate import check_keys, validate
from realdeg.errors import ConfigError, RealdegError
from realdeg.registry import DATASETS, load_plugins
from realdeg.utils.arguments import arguments_of
from realdeg.utils.data_file import check_size
from realdeg.utils.files import names_a_file
from realdeg.utils.mmengine_internals import config_dict, set_config_dict

logger = logging.getLogger(__name__)


def load_config(
    path_or_name: str | os.PathLike[str],
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    *,
    check: bool = True,
) -> Config:
    """Load a config, ready for ``inject``.

    A changed ``type`` replaces its dict, in ``_base_`` and in ``options``; the log names what was
    dropped. Nothing is built and no data is read.

    Args:
        path_or_name: A file, the folder of a run, or the name of a recipe such as
            ``dml/dml_n8_realsr_x4``. A ``.py`` file is a program and is run; ``.yaml``, ``.json``
            and what a folder holds are read as data.
        options: Dotted keys and values laid over the file, as ``--cfg-options`` gives them.
        sample: Put the built-in sample in place of all data and shorten the schedule; options
            still win.
        check: Also look up every type and argument, which imports torch.

    Returns:
        The merged config; ``filename`` is the file's path.

    Raises:
        ConfigError: If the file is not found or broken, or names something unknown.
    """
    options = dict(options or {})
    with collecting_dropped() as dropped:
        file = find_config(path_or_name)
        imports_given = any(key.split(".")[0] == "custom_imports" for key in options)
        cfg = _read(file, is_folder(Path(path_or_name)), imports_given)
        iterations = _iterations(cfg)
        apply_options(cfg, options)
    check_keys(cfg)
    spell_out_components(cfg)
    _import_custom(cfg)
    if not check and not sample:
        log_dropped(dropped)
        return cfg
    load_plugins()
    if cfg.get("recipe") and cfg.get("sample"):
        logger.warning("SAMPLE RUN of %s, as its folder has it.", cfg.recipe)
    elif sample or cfg.get("sample"):
        from realdeg.config.sample import use_sample

        # The recipe itself is checked first, so that a typing error in it does not go unseen.
        validate(cfg)
        use_sample(cfg, config_name(file), options, iterations)
        with collecting_dropped():  # the same once more
            apply_options(cfg, options)
        spell_out_components(cfg)
    if check:
        validate(cfg)
    log_dropped([_that_matters(one) for one in dropped])
    return cfg


def _that_matters(dropped: Dropped) -> Dropped:
    """Leave out what a former data set alone could take: its folders mean nothing to the next."""
    if "_dataloader.dataset" not in dropped.place:
        return dropped
    takes = arguments_of(look_up(DATASETS, dropped.new, dropped.place))
    return replace(dropped, keys=tuple(key for key in dropped.keys if key in takes))


def spell_out_components(cfg: Config) -> None:
    """Write a component that was given as a path or a name as the dict it stands for.

    Args:
        cfg: The config, changed in place.

    Raises:
        ConfigError: If it is neither a dict, a path, a name nor None.
    """
    for key in ("degradation", "backbone"):
        value = cfg.get(key)
        if value is None or isinstance(value, Mapping):
            continue
        if not isinstance(value, str | os.PathLike):
            raise ConfigError(
                f"'{key}' is {value!r}, wanted dict(type=...), dict(checkpoint='x.safetensors'),"
                " the path of such a file, or a registered name."
            )
        text = str(value)
        cfg[key] = {"checkpoint": text} if names_a_file(text) else {"type": text}


def _iterations(cfg: Config) -> int:
    schedule = cfg.get("train_cfg")
    said = schedule.get("max_iters") if isinstance(schedule, Mapping) else None
    return said if isinstance(said, int) else 0


def _read(file: Path, of_run: bool, imports_given: bool) -> Config:
    if is_data(file):
        with replacing_types():
            data = read_data_config(file, imports_given)
    elif file.suffix != ".py":
        raise ConfigError(f"{file} is no config: a config is a .py, .yaml or .json file.")
    elif of_run:
        data = read_saved_program(file, imports_given)
    else:
        return _run(str(file))
    reserved = sorted(set(RESERVED_KEYS) & set(data))
    if reserved:
        raise ConfigError(f"unknown top-level key '{reserved[0]}' in the config {file}.")
    return Config(data, cfg_text=" ", filename=str(file))


def _run(file: str) -> Config:
    """Run a config that is a program."""
    try:
        with replacing_types():
            cfg = Config.fromfile(file, import_custom_modules=False, lazy_import=False)
        check_size(config_dict(cfg), file)
        # `test_dataloader = val_dataloader` in a file is one object; later changes are to one.
        set_config_dict(cfg, _unshared(config_dict(cfg)))
        return cfg
    except RealdegError:
        raise
    except SyntaxError as error:
        # mmengine reports on a temporary copy, of this file or of one it inherits from.
        cause = error.__context__ if isinstance(error.__context__, SyntaxError) else error
        raise ConfigError(
            f"{file}, or a file of its _base_, cannot be read: line {cause.lineno}, {cause.msg}."
            " A config is plain Python."
        ) from error
    except KeyError as error:
        text = str(error.args[0]) if error.args else str(error)
        if "Duplicate key" in text:
            raise ConfigError(
                f"two files of the _base_ list of {file} (or of one below it) set the same key"
                f" ({text.rsplit(':', 1)[-1].strip()}): keep one of them, or set the key in the"
                " file itself, where a changed type replaces the dict."
            ) from error
        raise ConfigError(f"{file} cannot be read: the key {error} is missing.") from error
    except (Exception, SystemExit) as error:  # a config is a program: it may raise anything
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}: {error}") from error


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return ConfigDict({key: _unshared(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(_unshared(item) for item in value)
    return value


def _import_custom(cfg: Config) -> None:
    """Import what ``custom_imports`` names, so that its components are registered."""
    custom = cfg.get("custom_imports")
    if not custom:
        return
    if not isinstance(custom, Mapping) or "imports" not in custom:
        raise ConfigError(
            f"'custom_imports' is {custom!r}, wanted dict(imports=['your_package.module'])."
        )
    imports = custom["imports"]
    import_modules(
        [imports] if isinstance(imports, str) else imports,
        "custom_imports",
        allow_failed=bool(custom.get("allow_failed_imports")),
    )


def import_modules(names: Sequence[str], said: str, *, allow_failed: bool = False) -> None:
    """Import modules of the user's own, so that their components are registered.

    Args:
        names: The modules, which the user has named: nothing that a file says belongs here.
        said: Where they were named, for messages.
        allow_failed: Warn of what cannot be imported, and go on.

    Raises:
        ConfigError: If one cannot be imported.
    """
    for name in names:
        try:
            import_module(name)
        # A stranger's module may raise anything, SystemExit included.
        except (Exception, SystemExit) as error:
            if allow_failed:
                logger.warning("%s: %s is left out (%s)", said, name, error)
                continue
            absent = isinstance(error, ModuleNotFoundError) and error.name == name.split(".")[0]
            hint = " Is its folder on PYTHONPATH?" if absent else ""
            raise ConfigError(
                f"{said} names '{name}', which cannot be imported:"
                f" {type(error).__name__}: {error}.{hint}"
            ) from error
