"""A config that is written fast, and once; and as data, for the folder of its run."""

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

# How and where a run was started, which the next start says for itself.
_OF_THE_START = ("work_dir", "launcher", "resume", "device")
_HEAD = """\
# The config of this run, as data: `realdeg train`, `test` and `browse` take the folder it lies in.
"""


def config_text(cfg: Mapping[str, Any]) -> str:
    """Write a config as Python that reads back.

    mmengine formats with yapf, 0.4 s for 300 lines and 8 to 13 s for a list of 400 dicts, and does
    so at every checkpoint. ``pprint`` needs milliseconds.

    Args:
        cfg: The config, plain data.

    Returns:
        One assignment per top-level key.
    """
    return "".join(
        f"{key} = {pformat(value, width=100, sort_dicts=False)}\n" for key, value in cfg.items()
    )


class PlainConfig(Config):
    """mmengine's config with ``pretty_text`` made by ``config_text``, once per object."""

    @classmethod
    def of(cls, cfg: Mapping[str, Any] | Config | None) -> PlainConfig:
        """Copy any config into this class.

        Args:
            cfg: A config, a dict, or None for an empty one.

        Returns:
            The copy.
        """
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
    """Write a run's config as data that makes the same run again.

    Where ``inject`` filled something in, what was said before it is written, so that nothing
    stands twice and the number of processes may change.

    Args:
        cfg: The runner's config.

    Returns:
        YAML; classes and functions are written by their registered names.

    Raises:
        ConfigError: If something has no plain form, naming it and its place.
    """
    current = dict(config_dict(cfg))
    nothing: dict[str, Any] = {}
    said, injected = note(cfg, "said") or (nothing, nothing)
    data: dict[str, Any] = {}
    for key, value in current.items():
        if key in _OF_THE_START:
            continue
        if key not in injected or not _equal(value, injected[key]):
            data[key] = _plain(value, key)  # changed since
        elif key in said:
            data[key] = _plain(said[key], key)
    if said.get("recipe"):
        data["recipe"] = said["recipe"]
    check_size(data, "the config")
    return _HEAD + data_text(data)


def save_run_config(cfg: Config, folder: Path, logger: logging.Logger) -> None:
    """Write a run's config into its folder, or say why the folder does not stand for it.

    Args:
        cfg: The runner's config.
        folder: The work dir.
        logger: Who is told.

    Raises:
        OutputError: If it cannot be written.
    """
    target = folder / RUN_CONFIG
    try:
        text = run_config_text(cfg)
    except ConfigError as error:
        target.unlink(missing_ok=True)  # of a former run
        logger.warning(
            "%s is not written, so the run's folder does not stand for its config: %s. Register"
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
    except (ValueError, RuntimeError):  # arrays do not compare as one
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
    """Return the name under which a class or function is registered, if it is."""
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
