"""Look a name up among what is registered, and nowhere else.

mmengine's registries import what a dotted name points to (``subprocess.getoutput`` among it), and
``<scope>.registry`` for every scope that a config names. Names come from files: weights, traces,
configs that are data. So a name here is a key of a registry or nothing. Code enters through Python
configs, ``custom_imports`` and entry points only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry

from realdeg.errors import ConfigError, nearest

_in_block: ContextVar[bool] = ContextVar("registered_names_only", default=False)
_mmengine_get = MMEngineRegistry.get
_mmengine_switch = MMEngineRegistry.switch_scope_and_registry
_mmengine_build = MMEngineRegistry.build


class _Process:
    """Whether the whole process is a run of realdeg."""

    names_only = False


def find_registered(registry: MMEngineRegistry, name: Any) -> Any:
    """Return what is registered under a name, importing nothing that the name says.

    Args:
        registry: A registry of realdeg, of mmengine or of anybody's.
        name: The registered name, with or without the scope of a registry of the same tree before
            it (``realdeg.Degrade``, ``mmengine.CheckpointHook``).

    Returns:
        A class or a function; None where nothing is registered under that name in the registry or
        in one that it inherits from.
    """
    if not isinstance(name, str):
        return None
    line: list[MMEngineRegistry] = []
    ancestor: MMEngineRegistry | None = registry
    while ancestor is not None:
        line.append(ancestor)
        ancestor = ancestor.parent
    for each in line:
        each.import_from_location()  # the modules that its author named
        if name in each.module_dict:
            return each.module_dict[name]
    scope, dot, bare = name.partition(".")
    scoped = line[-1]._search_child(scope) if dot else None
    if scoped is None:
        return None
    scoped.import_from_location()
    return scoped.module_dict.get(bare)


@contextmanager
def registered_names_only() -> Iterator[None]:
    """Have every registry, mmengine's own too, answer to registered names only, within the block.

    It holds for the thread that enters the block.
    """
    token = _in_block.set(True)
    try:
        yield
    finally:
        _in_block.reset(token)


def guard_process() -> None:
    """Have every registry answer to registered names only, from now on: realdeg's runner asks."""
    _Process.names_only = True


def _guarded() -> bool:
    return _Process.names_only or _in_block.get()


def _get(self: MMEngineRegistry, key: Any) -> Any:
    """Stand in for ``Registry.get``; other programs of the process keep mmengine's way."""
    if not _guarded():
        return _mmengine_get(self, key)
    return _require(self, key)


def _require(registry: MMEngineRegistry, name: Any) -> Any:
    found = find_registered(registry, name)
    if found is None:
        raise ConfigError(
            f"no {registry.name} is registered under the name {name!r:.80}."
            f"{nearest(str(name)[:80], sorted(registry.module_dict))} Names of modules are not"
            " looked up: components of your own are brought in by custom_imports or the"
            " 'realdeg.plugins' entry point."
        )
    return found


def _build(self: MMEngineRegistry, cfg: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for ``Registry.build``, whose answer to an unknown name is a bare KeyError."""
    if _guarded() and isinstance(cfg, Mapping) and isinstance(cfg.get("type"), str):
        with self.switch_scope_and_registry(cfg.get("_scope_")) as registry:
            _require(registry, cfg["type"])
    return _mmengine_build(self, cfg, *args, **kwargs)


@contextmanager
def _switch(self: MMEngineRegistry, scope: str | None) -> Iterator[MMEngineRegistry]:
    """Stand in for ``Registry.switch_scope_and_registry``, which imports ``<scope>.registry``."""
    if not _guarded():
        with _mmengine_switch(self, scope) as registry:
            yield registry
        return
    if not isinstance(scope, str | None):
        raise ConfigError(f"'_scope_' is {scope!r:.80}, wanted a text such as 'realdeg'.")
    with DefaultScope.overwrite_default_scope(scope):
        current = DefaultScope.get_current_instance()
        found = None if current is None else self.root._search_child(current.scope_name)
        yield self if found is None else found


MMEngineRegistry.get = _get
MMEngineRegistry.build = _build
MMEngineRegistry.switch_scope_and_registry = _switch
