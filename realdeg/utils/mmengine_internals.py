"""Everything that depends on mmengine's internals.

mmengine's private names, the functions that are replaced, and the versions in which both were
tested are used here and nowhere else. A release that changes one of them fails
``tests/utils/test_mmengine_internals.py``; at run time an untested version is refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeVar

import mmengine.registry
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry

from realdeg.errors import ConfigError, nearest

WANTED = ">=0.10.7,<0.11"
"""The tested versions of mmengine. The next one unpickles checkpoints without limits."""
_FORKS = ("onedl-mmengine",)  # install the same module
_REMEDY = f"pip uninstall -y mmengine {' '.join(_FORKS)} && pip install 'mmengine{WANTED}'"

FUNCTIONS = {
    "mmengine.config": {
        "Config._merge_a_into_b": "a, b, allow_list_keys",
        "Config._get_cfg_path": "cfg_path, filename",
        "Config._file2dict": (
            "filename, use_predefined_variables, use_environment_variables, lazy_import"
        ),
    },
    "mmengine.registry": {
        "Registry.get": "self, key",
        "Registry.build": "self, cfg, args, kwargs",
        "Registry.switch_scope_and_registry": "self, scope",
        "Registry._search_child": "self, scope",
        "Registry._register_module": "self, module, module_name, force",
    },
    "mmengine.runner": {"Runner._log_env": "self, env_cfg"},
    "mmengine.hooks": {"EMAHook._swap_ema_parameters": "self"},
    "mmengine.visualization": {"Visualizer._initialize_fig": "self, fig_cfg"},
}
"""Functions that are called or replaced, by module: name and parameter names."""
ATTRIBUTES = {
    "mmengine.config": {"Config": ("_cfg_dict",)},
    "mmengine.runner": {
        "Runner": (
            *("_timestamp", "_train_loop", "_test_loop", "_resume"),
            *("_train_dataloader", "_val_dataloader", "_test_dataloader"),
        )
    },
    "mmengine.optim": {"OptimWrapper": ("_accumulative_counts",)},
}
"""Attributes that are read or set, by module and class."""

T = TypeVar("T")


def check_version() -> None:
    """Refuse an untested mmengine.

    Raises:
        ConfigError: Naming what was found, what is expected, and the command that installs it.
    """
    for fork in _FORKS:
        if (found := _distribution(fork)) is not None:
            raise _refusal(f"the fork {fork} {found} is installed instead of mmengine")
    loaded = str(getattr(mmengine, "__version__", "without a version"))
    installed = _distribution("mmengine") or loaded  # a checkout on the path has no metadata
    if not _fits(installed):
        raise _refusal(f"mmengine {installed} is installed")
    if loaded != installed:
        raise _refusal(f"mmengine {installed} is installed, but its files are of {loaded}")


def check_names(*modules: str) -> None:
    """Import keys of ``FUNCTIONS``, and refuse an mmengine that lacks a function listed there.

    Raises:
        ConfigError: As :func:`check_version`.
    """
    for name in modules:
        module = import_module(name)
        for path in FUNCTIONS[name]:
            found: Any = module
            for part in path.split("."):
                found = getattr(found, part, None)
            if found is None:
                raise _refusal(f"the mmengine in {Path(mmengine.__path__[0])} has no {name}.{path}")


def _distribution(name: str) -> str | None:
    found = next(iter(metadata.distributions(name=name)), None)
    return None if found is None else found.version


def _fits(version: str) -> bool:
    numbers = version.split(".")[:3]
    return all(map(str.isdigit, numbers)) and (0, 10, 7) <= tuple(map(int, numbers)) < (0, 11)


def _refusal(found: str) -> ConfigError:
    return ConfigError(f"{found}, and realdeg was tested with mmengine{WANTED}: `{_REMEDY}`.")


def config_dict(cfg: Config | Mapping[str, Any]) -> ConfigDict:
    """Return a config's own dict, not a copy. A mapping is returned unchanged."""
    return cfg._cfg_dict if isinstance(cfg, Config) else cfg


def set_config_dict(cfg: Config, values: Mapping[str, Any]) -> None:
    """Replace all keys and values of a config."""
    object.__setattr__(cfg, "_cfg_dict", ConfigDict(values))


def set_note(cfg: Config, name: str, value: Any) -> None:
    """Attach a value to a config outside its keys; deep copies keep it."""
    object.__setattr__(cfg, f"_realdeg_{name}", value)


def note(cfg: Config, name: str) -> Any:
    """Return the value that :func:`set_note` attached under that name, or None."""
    return cfg.__dict__.get(f"_realdeg_{name}")


def copy_config(cfg: Config, kind: type[T]) -> T:
    """Return a deep copy of a config, with its notes, as an object of a subclass."""
    copied = object.__new__(kind)
    for key, value in cfg.__dict__.items():
        # Config turns plain attribute assignment into keys.
        object.__setattr__(copied, key, copy.deepcopy(value))
    return copied


def read_program(file: Path) -> dict[str, Any]:
    """Run a Python config with its bases, and return the values that it sets."""
    # The lazy form fails on modules of the standard library.
    values: dict[str, Any] = Config._file2dict(str(file), lazy_import=False)[0]
    return values


@contextmanager
def reading_configs(
    merge: Callable[[Mapping[str, Any], Any, bool], Any],
    find_base: Callable[[str, Path], Path | None],
    read_data: Callable[[Path], Mapping[str, Any] | None],
) -> Iterator[None]:
    """Have mmengine's ``Config`` read files by other rules within the block.

    Args:
        merge: Merges a config (the first argument) over another; the third argument states
            whether numeric keys index lists.
        find_base: Returns the path of a name in the ``_base_`` list of a file (the second
            argument), for ``read_data``; None leaves the name to mmengine.
        read_data: Reads a file; None leaves a Python file to mmengine.
    """
    former = Config._merge_a_into_b, Config._get_cfg_path, Config._file2dict

    def merge_configs(a: Any, b: Any, allow_list_keys: bool = False) -> Any:
        return merge(a, b, allow_list_keys)

    def find(cfg_path: str, filename: str) -> tuple[str, str | None]:
        own = find_base(cfg_path, Path(filename))
        if own is not None:
            return str(own), None
        path, scope = former[1](cfg_path, filename)
        if scope is None and not Path(path).is_file():
            raise ConfigError(f"{filename} inherits from '{cfg_path}', and {path} does not exist.")
        return path, scope

    def read(filename: str, *args: Any, **kwargs: Any) -> tuple[Any, str, dict[str, Any]]:
        data = read_data(Path(filename))  # mmengine's YAML loader can run code
        if data is not None:
            return data, "", {}
        found: tuple[Any, str, dict[str, Any]] = former[2](filename, *args, **kwargs)
        return found

    try:
        _set_config_functions(merge_configs, find, read)
        yield
    finally:
        _set_config_functions(*former)


def _set_config_functions(merge: Any, find: Any, read: Any) -> None:
    # They are static methods, and must be static again after the block.
    Config._merge_a_into_b = staticmethod(merge)
    Config._get_cfg_path = staticmethod(find)
    Config._file2dict = staticmethod(read)


# Registries. mmengine's import whatever a dotted name points to (such as ``subprocess.getoutput``),
# and ``<scope>.registry`` for every scope that a config names. Names come from files (weights,
# traces, configs that are data), so here a name is a key of a registry or nothing. Code enters only
# through Python configs, ``custom_imports`` and entry points.

_in_block: ContextVar[bool] = ContextVar("registered_names_only", default=False)


class _Process:
    names_only = False  # whether the whole process is a run of realdeg


class WatchedRegistry(MMEngineRegistry):
    """A registry that is notified of registrations."""

    def _register_module(self, module: Any, *args: Any, **kwargs: Any) -> None:
        super()._register_module(module, *args, **kwargs)
        self.on_registration(module)

    def on_registration(self, module: Any) -> None:
        """Handle a class or function that was just registered."""


def find_registered(registry: MMEngineRegistry, name: Any) -> Any:
    """Return what is registered under a name, without importing anything that the name suggests.

    Args:
        registry: Any mmengine registry.
        name: The registered name, with or without the scope of a registry of the same tree
            (``realdeg.Degrade``, ``mmengine.CheckpointHook``).

    Returns:
        A class or function, or None if neither the registry nor one of its parents has the name.
    """
    if not isinstance(name, str):
        return None
    line: list[MMEngineRegistry] = []
    ancestor: MMEngineRegistry | None = registry
    while ancestor is not None:
        line.append(ancestor)
        ancestor = ancestor.parent
    for each in line:
        each.import_from_location()  # modules that the registry's author listed
        if name in each.module_dict:
            return each.module_dict[name]
    scope, dot, unscoped = name.partition(".")
    scoped = line[-1]._search_child(scope) if dot else None
    if scoped is None:
        return None
    scoped.import_from_location()
    return scoped.module_dict.get(unscoped)


@contextmanager
def registered_names_only() -> Iterator[None]:
    """Limit every registry, mmengine's included, to registered names, in this thread's block."""
    token = _in_block.set(True)
    try:
        yield
    finally:
        _in_block.reset(token)


def guard_process() -> None:
    """Limit every registry to registered names from now on; realdeg's runner calls this."""
    _Process.names_only = True


def _guarded() -> bool:
    return _Process.names_only or _in_block.get()


def _get(self: MMEngineRegistry, key: Any) -> Any:
    """Replace ``Registry.get``; outside a run of realdeg it behaves as before."""
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
    """Replace ``Registry.build``, which raises KeyError for an unknown name."""
    if _guarded() and isinstance(cfg, Mapping) and isinstance(cfg.get("type"), str):
        with self.switch_scope_and_registry(cfg.get("_scope_")) as registry:
            _require(registry, cfg["type"])
    return _mmengine_build(self, cfg, *args, **kwargs)


@contextmanager
def _switch(self: MMEngineRegistry, scope: str | None) -> Iterator[MMEngineRegistry]:
    """Replace ``Registry.switch_scope_and_registry``, which imports ``<scope>.registry``."""
    if not _guarded():
        with _mmengine_switch(self, scope) as registry:
            yield registry
        return
    if not isinstance(scope, str | None):
        raise ConfigError(f"'_scope_' is {scope!r:.80}, wanted a string such as 'realdeg'.")
    with DefaultScope.overwrite_default_scope(scope):
        current = DefaultScope.get_current_instance()
        found = None if current is None else self.root._search_child(current.scope_name)
        yield self if found is None else found


# Runner, hooks and visualizer import torch, so the caller passes the object.

_OVERRIDES = {"log_environment": "_log_env", "make_figure": "_initialize_fig"}


def overrides_internals(cls: type[T]) -> type[T]:
    """Decorate a class whose methods override private ones of mmengine.

    A Runner may define ``log_environment(env_cfg)``, a Visualizer ``make_figure(fig_cfg)``.
    """
    for own, theirs in _OVERRIDES.items():
        if own in vars(cls):
            setattr(cls, theirs, vars(cls)[own])
    return cls


def make_figure(visualizer: Any, fig_cfg: Mapping[str, Any]) -> Any:
    """Return mmengine's canvas, figure and axes for a visualizer."""
    from mmengine.visualization import Visualizer

    return Visualizer._initialize_fig(visualizer, fig_cfg)


def set_timestamp(runner: Any, text: str) -> None:
    """Set the time stamp in the name of a runner and its log folder."""
    runner._timestamp = text


def set_data_set(runner: Any, key: str, dataset: Any) -> None:
    """Give a loader that is not built yet a data set that is, without the copy mmengine makes."""
    loader = getattr(runner, f"_{key}")
    if isinstance(loader, Mapping):
        setattr(runner, f"_{key}", {**loader, "dataset": {"type": lambda: dataset}})


def iterations_done(runner: Any) -> int:
    """Return a runner's iteration without building its training loop."""
    return int(getattr(runner._train_loop, "iter", 0))


def is_resuming(runner: Any) -> bool:
    """Return whether a runner resumes; mmengine's hooks read this as well."""
    return bool(runner._resume)


def set_resuming(runner: Any) -> None:
    """Have a runner resume."""
    runner._resume = True


def set_iteration(loop: Any, iteration: int) -> None:
    """Set the iteration at which a training loop continues."""
    loop._iter = iteration


def backward_passes(wrapper: Any) -> int:
    """Return over how many backward passes an optimiser wrapper accumulates gradients."""
    return int(getattr(wrapper, "_accumulative_counts", 1))


def is_test_loop(runner: Any, loop: Any) -> bool:
    """Return whether a loop is a runner's test loop, without building that."""
    return bool(runner._test_loop is loop)


def swap_averaged_weights(hook: Any) -> None:
    """Swap the model's weights with the averages of an ``EMAHook``."""
    hook._swap_ema_parameters()


check_version()
check_names("mmengine.config", "mmengine.registry")
_mmengine_get, _mmengine_build = MMEngineRegistry.get, MMEngineRegistry.build
_mmengine_switch = MMEngineRegistry.switch_scope_and_registry
MMEngineRegistry.get = _get
MMEngineRegistry.build = _build
MMEngineRegistry.switch_scope_and_registry = _switch
