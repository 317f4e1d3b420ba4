"""A config that is formatted fast, and once; and saved as data in the folder of its run."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from pprint import pformat
from typing import Any

import mmengine.registry
from mmengine.config import Config

import realdeg.registry
from realdeg.errors import ConfigError
from realdeg.utils.data_file import RUN_CONFIG, check_size, data_text
from realdeg.utils.files import atomic_path
from realdeg.utils.mmengine_internals import config_dict, copy_config, note, set_note

# How and where a run was started, which does not apply to the next start.
_OF_THE_START = ("work_dir", "launcher", "resume", "device")
_HEAD = """\
# The config of this run, as data: `realdeg train`, `test` and `browse` take its folder.
"""


def config_text(cfg: Mapping[str, Any]) -> str:
    """Format a config as Python, one assignment per top-level key.

    mmengine formats with yapf at every checkpoint: 0.4 s for 300 lines, 8 to 13 s for a list of 400
    dicts. ``pprint`` needs milliseconds.
    """
    return "".join(
        f"{key} = {pformat(value, width=100, sort_dicts=False)}\n" for key, value in cfg.items()
    )


class PlainConfig(Config):
    """mmengine's config; ``pretty_text`` is made by ``config_text``, once per object."""

    @classmethod
    def of(cls, cfg: Mapping[str, Any] | Config | None) -> PlainConfig:
        """Copy a config, a dict, or None for an empty one, into this class."""
        copied = copy_config(cfg if isinstance(cfg, Config) else Config(dict(cfg or {})), cls)
        set_note(copied, "text", None)
        return copied

    @property
    def pretty_text(self) -> str:
        """The config as Python text, made at the first call."""
        if note(self, "text") is None:
            set_note(self, "text", config_text(self.to_dict()))
        return str(note(self, "text"))


def run_config_text(cfg: Config) -> str:
    """Format a run's config as data that makes the same run again.

    What ``inject`` filled in is left out, so that nothing is given twice and the number of
    processes may change.

    Args:
        cfg: The runner's config.

    Returns:
        YAML. Classes and functions are written by their registered names.

    Raises:
        ConfigError: If something has no plain form, naming it and its place.
    """
    current = dict(config_dict(cfg))
    nothing: dict[str, Any] = {}
    given, injected = note(cfg, "said") or (nothing, nothing)
    data: dict[str, Any] = {}
    for key, value in current.items():
        if key in _OF_THE_START:
            continue
        if key not in injected or not _equal(value, injected[key]):
            data[key] = _plain(value, key)  # changed since
        elif key in given:
            data[key] = _plain(given[key], key)
    if given.get("recipe"):
        data["recipe"] = given["recipe"]
    check_size(data, "the config")
    return _HEAD + data_text(data)


def save_run_config(cfg: Config, folder: Path, logger: logging.Logger) -> None:
    """Write a run's config into its work dir, or warn why the folder cannot replace the config.

    Raises:
        OutputError: If it cannot be written.
    """
    target = folder / RUN_CONFIG
    try:
        text = run_config_text(cfg)
    except ConfigError as error:
        target.unlink(missing_ok=True)  # of a former run
        logger.warning(
            "%s is not written, so the run's folder cannot be used as its config: %s. Register"
            " what it names and give the name instead, or keep the .py file.",
            target,
            str(error).rstrip("."),
        )
        return
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _equal(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except (ValueError, RuntimeError):  # arrays are compared element by element
        return False


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral | Real):
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Mapping):
        keys = (key if isinstance(key, str | int) else str(key) for key in value)
        return {
            key: _plain(item, f"{place}.{key}")
            for key, item in zip(keys, value.values(), strict=True)
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}.{index}") for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return str(value)
    name = _registered_name(value) if place.endswith(".type") else None
    if name is not None:
        return name
    raise ConfigError(f"'{place}' is {_named(value)}, which has no plain form")


def _named(value: Any) -> str:
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    return f"an object of the class {type(value).__name__}"


def _registered_name(value: Any) -> str | None:
    """Return the name under which a class or function is registered, or None."""
    for registry in _registries():
        for name, found in registry.module_dict.items():
            if found is value:
                return str(name)
    return None


def _registries() -> Iterator[Any]:
    for module in (realdeg.registry, mmengine.registry):
        for value in vars(module).values():
            if isinstance(value, mmengine.registry.Registry):
                yield value
