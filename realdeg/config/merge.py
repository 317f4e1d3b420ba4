"""Merging configs where a changed ``type`` replaces its dict.

mmengine merges key by key, so ``degradation.type=DirectNet`` over a DML would hand DML's
``num_kernels`` to DirectNet. Here the arguments of the former type go with it, and the log names
them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from realdeg.config.paths import find_recipe
from realdeg.errors import ConfigError
from realdeg.utils.mmengine_internals import config_dict, reading_configs, set_config_dict

logger = logging.getLogger(__name__)

_DELETE = "_delete_"
# Places whose value may be a file of weights instead of a type: 'x.safetensors' or
# dict(checkpoint='x.safetensors').
_COMPONENTS = ("degradation", "backbone", "parts", "part", "otherwise", "again")


def _join(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _is_component(place: str) -> bool:
    names = [part for part in place.split(".") if not part.isdigit()]
    return bool(names) and names[-1] in _COMPONENTS


def _plain_type(value: Any) -> Any:
    """Return a type without realdeg's own scope, so that 'realdeg.DML' equals 'DML'."""
    return value.removeprefix("realdeg.") if isinstance(value, str) else value


def _replaces(new: Mapping[str, Any], old: Mapping[str, Any], place: str) -> bool:
    if "type" in new:
        if "type" in old:
            return _plain_type(new["type"]) != _plain_type(old["type"])
        return _is_component(place) and "checkpoint" in old
    # A backbone's type may stand beside its weights (foreign files do not describe themselves).
    degradation = _is_component(place) and not place.endswith("backbone")
    return degradation and "checkpoint" in new and "checkpoint" not in old


def _describe(value: Mapping[str, Any]) -> str:
    return str(value.get("type", value.get("checkpoint", "a dict")))


@dataclass(frozen=True)
class Dropped:
    """What went when one component took another's place."""

    place: str
    new: str
    old: str
    keys: tuple[str, ...]


_collected: ContextVar[list[Dropped] | None] = ContextVar("dropped keys", default=None)


@contextmanager
def collecting_dropped() -> Iterator[list[Dropped]]:
    """Collect what merges drop instead of logging it at once, within the block.

    Yields:
        The list, filled while the block runs.
    """
    found: list[Dropped] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def log_dropped(dropped: Sequence[Dropped]) -> None:
    """Log what was dropped, one line for all places where the same was.

    Args:
        dropped: What was collected.
    """
    places: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in dropped:
        if one.keys:
            places.setdefault((one.new, one.old, one.keys), []).append(one.place)
    for (new, old, keys), where in places.items():
        logger.info(
            "%s: %s replaces %s; dropped keys: %s",
            ", ".join(dict.fromkeys(where)),
            new,
            old,
            ", ".join(keys),
        )


def _report(place: str, old: Mapping[str, Any], new: Any) -> None:
    kept = set(new) if isinstance(new, Mapping) else set()
    dropped = sorted(str(key) for key in old if key != "type" and key not in kept)
    if not dropped:
        return
    target = _describe(new) if isinstance(new, Mapping) else str(new)
    one = Dropped(place, target, _describe(old), tuple(dropped))
    collected = _collected.get()
    if collected is None:
        log_dropped([one])
    else:
        collected.append(one)


def _value(new: Any, old: Any, place: str, lists: bool) -> Any:
    """Return what stands at ``place`` after ``new`` is laid over ``old``."""
    if not isinstance(new, dict):
        if isinstance(old, Mapping) and "type" in old and _is_component(place):
            _report(place, old, new)
        return new
    new = ConfigDict(new)
    if new.pop(_DELETE, False):
        return new
    if isinstance(old, list | tuple) and lists:
        return _into_list(new, list(old), place)
    if isinstance(old, dict):
        if _replaces(new, old, place):
            _report(place, old, new)
            return _merge(new, ConfigDict(), place, lists)
        return _merge(new, old, place, lists)
    if old is None or (isinstance(old, str) and _is_component(place)):
        if isinstance(old, str):
            _report(place, {"checkpoint": old}, new)
        return new
    raise ConfigError(
        f"'{place}' is {old!r} and cannot take the key '{next(iter(new), '')}':"
        f" it is not a dict. `{_DELETE}=True` in the new dict replaces it whole."
    )


def _into_list(new: Mapping[str, Any], old: list[Any], place: str) -> list[Any]:
    merged = list(old)
    for key, value in new.items():
        if not str(key).isdigit() or int(key) >= len(merged):
            raise ConfigError(
                f"'{_join(place, key)}' does not exist: '{place}' is a list of {len(merged)},"
                f" its items are {place}.0 to {place}.{len(merged) - 1}."
            )
        merged[int(key)] = _value(value, merged[int(key)], _join(place, key), lists=True)
    return merged


def _merge(new: Mapping[str, Any], old: Any, place: str, lists: bool) -> Any:
    if isinstance(old, list | tuple):
        return _into_list(new, list(old), place)
    merged = old.copy()
    for key, value in new.items():
        where = _join(place, key)
        if key in merged:
            merged[key] = _value(value, merged[key], where, lists)
        elif isinstance(value, dict):
            value = ConfigDict(value)
            value.pop(_DELETE, None)
            merged[key] = value
        else:
            merged[key] = value
    return merged


def merge_dicts(new: Mapping[str, Any], old: Mapping[str, Any]) -> Any:
    """Lay one config over another, where a changed ``type`` replaces its dict.

    Args:
        new: What is laid over.
        old: What lies below; it stays as it is.

    Returns:
        The merged config.

    Raises:
        ConfigError: If a dict is laid over what is none.
    """
    return _merge(new, ConfigDict(old), "", lists=False)


@contextmanager
def replacing_types() -> Iterator[None]:
    """Let mmengine's ``Config`` replace a dict whose ``type`` changes, within the block.

    A base may also be named ``realdeg::dml/dml_n8_realsr_x4.py`` from a config that lies
    elsewhere, and a base of YAML or JSON is read as data.
    """
    from realdeg.config.data import is_data, read_data_config

    def merge(new: Mapping[str, Any], old: Any, lists: bool) -> Any:
        return _merge(new, old, "", lists)

    def find_base(name: str) -> Path | None:
        package, mark, inner = name.partition("::")
        return find_recipe(inner) if mark and package == "realdeg" else None

    def read(file: Path) -> ConfigDict | None:
        return read_data_config(file) if is_data(file) else None

    with reading_configs(merge, find_base, read):
        yield


def _nested(options: Mapping[str, Any]) -> ConfigDict:
    """Turn ``{'a.b.0.c': 1}`` into nested dicts."""
    nested = ConfigDict()
    for full, value in options.items():
        *above, last = str(full).split(".")
        level = nested
        for key in above:
            level.setdefault(key, ConfigDict())
            level = level[key]
            if not isinstance(level, dict):
                raise ConfigError(f"the option '{full}' reaches into '{key}', also set whole.")
        if isinstance(level.get(last), dict) and not isinstance(value, dict):
            raise ConfigError(f"the option '{full}' is set whole and also key by key.")
        level[last] = value
    return nested


def _done(value: Any) -> Any:
    """Leave out words that have done their work: how to merge, and realdeg's own scope."""
    if isinstance(value, dict):
        kept = {
            key: _done(item)
            for key, item in value.items()
            if key != _DELETE and not (key == "_scope_" and item == "realdeg")
        }
        return ConfigDict(kept)
    if isinstance(value, list | tuple):
        return type(value)(_done(item) for item in value)
    return value


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Lay command-line options over a config, in place.

    Args:
        cfg: The config.
        options: Dotted keys and their values; ``parts.0.type`` reaches into a list.

    Raises:
        ConfigError: If an option reaches into what is neither a dict nor a list item.
    """
    set_config_dict(cfg, _done(_merge(_nested(options), config_dict(cfg), "", lists=True)))
