"""Merging configs where a changed ``type`` replaces its dict.

mmengine merges key by key, so ``degradation.type=DirectNet`` over a DML would hand DML's
``num_kernels`` to DirectNet. Here the arguments of the former type go with it, and the log names
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

from realdeg.config.fill import yield_to_places
from realdeg.config.shape import kind_of_place
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES, DEGRADATIONS
from realdeg.utils.mmengine_internals import config_dict, set_config_dict

logger = logging.getLogger(__name__)

_DELETE = "_delete_"


def merge_dicts(new: Mapping[str, Any], old: Mapping[str, Any], lists: bool = False) -> ConfigDict:
    """Lay one config over another, where a changed ``type`` replaces its dict.

    Args:
        new: What is laid over.
        old: What lies below; it stays as it is.
        lists: Whether keys that are numbers reach into lists.

    Returns:
        The merged config.

    Raises:
        ConfigError: If a dict is laid over something else.
    """
    below = ConfigDict(yield_to_places(new, old))
    return _Merge(below, lists).dicts(new, below, "")


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Lay command-line options over a config, in place.

    Args:
        cfg: The config.
        options: Dotted keys and their values; ``parts.0.type`` reaches into a list.

    Raises:
        ConfigError: If an option reaches into what is neither a dict nor a list item.
    """
    set_config_dict(cfg, _done(merge_dicts(_nested(options), config_dict(cfg), lists=True)))


class _Merge:
    """Lays dicts over those of one config, the root."""

    def __init__(self, root: Mapping[str, Any], lists: bool) -> None:
        self.root, self.lists = root, lists

    def dicts(self, new: Mapping[str, Any], old: Mapping[str, Any], place: str) -> ConfigDict:
        """Return ``old`` with ``new`` laid over it, key by key."""
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
        """Return what stands at a place after ``new`` is laid over ``old``."""
        if not isinstance(new, dict):
            if isinstance(old, Mapping) and "type" in old and not isinstance(new, list | tuple):
                if kind_of_place(self.root, place)[0] in (BACKBONES, DEGRADATIONS):
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
        if isinstance(old, str) and _is_weights_slot(*kind_of_place(self.root, place)):
            _report(place, {"checkpoint": old}, new)
            return new
        raise ConfigError(
            f"'{place}' is {old!r} and cannot take the key '{next(iter(new), '')}':"
            f" it is not a dict. `{_DELETE}=True` in the new dict replaces it whole."
        )

    def items(self, new: Mapping[str, Any], old: list[Any], place: str) -> list[Any]:
        """Return a list with some of its items changed; the keys are their indices."""
        for key, value in new.items():
            if not str(key).isdigit() or int(key) >= len(old):
                raise ConfigError(
                    f"'{_join(place, key)}' does not exist: '{place}' is a list of {len(old)},"
                    f" its items are {place}.0 to {place}.{len(old) - 1}."
                )
            old[int(key)] = self.value(value, old[int(key)], _join(place, key))
        return old

    def replaces(self, new: Mapping[str, Any], old: Mapping[str, Any], place: str) -> bool:
        """Say whether one dict stands for another component than the other."""
        if "type" in new:
            if "type" in old:
                return bool(_plain_type(new["type"]) != _plain_type(old["type"]))
            return isinstance(old.get("checkpoint"), str | os.PathLike)
        if "checkpoint" not in new or "checkpoint" in old:
            return False
        # A backbone's type may stand beside its weights (foreign files do not describe themselves).
        return kind_of_place(self.root, place)[0] is DEGRADATIONS


def _is_weights_slot(registry: Any, explicit: bool) -> bool:
    return explicit and registry in (BACKBONES, DEGRADATIONS)


def _join(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _plain_type(value: Any) -> Any:
    """Return a type without realdeg's own scope, so that 'realdeg.DML' equals 'DML'."""
    return value.removeprefix("realdeg.") if isinstance(value, str) else value


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
