"""Merge configs so that a changed ``type`` replaces its dict.

mmengine merges key by key: ``degradation.type=DirectNet`` over a DML would give DML's
``num_kernels`` to DirectNet. Here the arguments of the former type are dropped, and the log names
them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config, ConfigDict

from realdeg.config.fill import drop_unused_fields, move_fields
from realdeg.config.shape import WEIGHTS, kind_of_place
from realdeg.errors import ConfigError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.mmengine_internals import config_dict, set_config_dict

logger = logging.getLogger(__name__)

_DELETE = "_delete_"


def merge_dicts(new: Mapping[str, Any], old: Mapping[str, Any], lists: bool = False) -> ConfigDict:
    """Merge one config over another, which stays unchanged.

    Args:
        new: The overriding config.
        old: The one below.
        lists: Whether keys that are numbers are indices of lists.

    Raises:
        ConfigError: If a dict overrides something that is not one.
    """
    below = ConfigDict(move_fields(new, old))
    return drop_unused_fields(new, below, _Merge(below, lists).dicts(new, below, ""))


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge command-line options over a config, in place.

    Args:
        cfg: The config to change.
        options: Values by dotted key; ``parts.0.type`` is inside of a list.

    Raises:
        ConfigError: If an option goes into what is neither a dict nor a list item.
    """
    set_config_dict(cfg, _cleaned(merge_dicts(_nested(options), config_dict(cfg), lists=True)))


class _Merge:
    """One merge into a config, the root."""

    def __init__(self, root: Mapping[str, Any], lists: bool) -> None:
        self.root, self.lists = root, lists

    def dicts(self, new: Mapping[str, Any], old: Mapping[str, Any], place: str) -> ConfigDict:
        merged = ConfigDict(old)
        for key, value in new.items():
            if key in merged:
                merged[key] = self.value(value, merged[key], _join(place, key))
            elif isinstance(value, dict):
                merged[key] = ConfigDict(value)
                merged[key].pop(_DELETE, None)
            else:
                merged[key] = value
        return merged

    def value(self, new: Any, old: Any, place: str) -> Any:
        if not isinstance(new, dict):
            if isinstance(old, Mapping) and "type" in old and not isinstance(new, list | tuple):
                if kind_of_place(self.root, place)[0] in WEIGHTS:
                    _report(place, old, new)
            return new
        new = ConfigDict(new)
        if new.pop(_DELETE, False):
            return new
        if isinstance(old, list | tuple) and self.lists:
            return self.items(new, list(old), place)
        if isinstance(old, dict):
            if self.replaces(new, old, place):
                _report(place, old, new)
                return self.dicts(new, ConfigDict(), place)
            return self.dicts(new, old, place)
        if old is None:
            return new
        if isinstance(old, str):
            registry, explicit = kind_of_place(self.root, place)
            if explicit and registry in WEIGHTS:
                _report(place, {"checkpoint": old}, new)
                return new
        raise ConfigError(
            f"'{place}' is {old!r} and cannot take the key '{next(iter(new), '')}':"
            f" it is not a dict. `{_DELETE}=True` in the new dict replaces it whole."
        )

    def items(self, new: Mapping[str, Any], old: list[Any], place: str) -> list[Any]:
        for key, value in new.items():
            if not str(key).isdigit() or int(key) >= len(old):
                raise ConfigError(
                    f"'{_join(place, key)}' does not exist: '{place}' is a list of {len(old)},"
                    f" its items are {place}.0 to {place}.{len(old) - 1}."
                )
            old[int(key)] = self.value(value, old[int(key)], _join(place, key))
        return old

    def replaces(self, new: Mapping[str, Any], old: Mapping[str, Any], place: str) -> bool:
        """Return whether the new dict is another component than the old one."""
        if "type" in new:
            if "type" in old:
                return bool(_plain_type(new["type"]) != _plain_type(old["type"]))
            return isinstance(old.get("checkpoint"), str | os.PathLike)
        if "checkpoint" not in new or "checkpoint" in old:
            return False
        # A backbone may have a type and weights: foreign files do not describe themselves.
        return kind_of_place(self.root, place)[0] is DEGRADATIONS


def _join(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _plain_type(value: Any) -> Any:
    """Drop realdeg's own scope from a type, so that 'realdeg.DML' equals 'DML'."""
    return value.removeprefix("realdeg.") if isinstance(value, str) else value


@dataclass(frozen=True)
class Dropped:
    """The keys that were dropped when one component replaced another."""

    place: str
    new: str
    old: str
    keys: tuple[str, ...]


_collected: ContextVar[list[Dropped] | None] = ContextVar("dropped keys", default=None)


@contextmanager
def collecting_dropped() -> Iterator[list[Dropped]]:
    """Within the block, collect what merges drop instead of logging it at once."""
    dropped: list[Dropped] = []
    token = _collected.set(dropped)
    try:
        yield dropped
    finally:
        _collected.reset(token)


def log_dropped(dropped: Sequence[Dropped]) -> None:
    """Log what was dropped, in one line for all places that dropped the same."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for one in dropped:
        if one.keys:
            places.setdefault((one.new, one.old, ", ".join(one.keys)), []).append(one.place)
    for (new, old, keys), where in places.items():
        names = ", ".join(dict.fromkeys(where))
        logger.info("%s: %s replaces %s; dropped keys: %s", names, new, old, keys)


def _report(place: str, old: Mapping[str, Any], new: Any) -> None:
    kept = set(new) if isinstance(new, Mapping) else set()
    keys = sorted(str(key) for key in old if key != "type" and key not in kept)
    if keys:
        former, now = (
            str(item.get("type", item.get("checkpoint", "a dict")))
            if isinstance(item, Mapping)
            else str(item)
            for item in (old, new)
        )
        dropped = Dropped(place, now, former, tuple(keys))
        collected = _collected.get()
        log_dropped([dropped]) if collected is None else collected.append(dropped)


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


def _cleaned(value: Any) -> Any:
    """Remove the keys that only control merging, and realdeg's own scope."""
    if isinstance(value, dict):
        kept = {
            key: _cleaned(item)
            for key, item in value.items()
            if key != _DELETE and not (key == "_scope_" and item == "realdeg")
        }
        return ConfigDict(kept)
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(item) for item in value)
    return value
