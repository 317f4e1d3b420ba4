"""What may stand at each place of a config: which registry's components, which plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from mmengine.registry import (
    EVALUATOR,
    FUNCTIONS,
    LOG_PROCESSORS,
    MODEL_WRAPPERS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    RUNNERS,
    VISBACKENDS,
    VISUALIZERS,
)
from mmengine.registry import Registry as MMEngineRegistry

from realdeg.errors import ConfigError, nearest
from realdeg.registry import (
    BACKBONES,
    DATA_SAMPLERS,
    DATASETS,
    DEGRADATIONS,
    DISCRIMINATORS,
    HOOKS,
    LOOPS,
    LOSSES,
    METRICS,
    TASKS,
    TRANSFORMS,
)
from realdeg.utils.arguments import component_registry
from realdeg.utils.files import names_a_file
from realdeg.utils.mmengine_internals import find_registered

# The top-level keys of a config, and for those that hold components, the registry.
TOP_LEVEL: dict[str, MMEngineRegistry | None] = {
    "degradation": DEGRADATIONS,
    "backbone": BACKBONES,
    "model": TASKS,
    "data_preprocessor": TASKS,
    **dict.fromkeys(("train_cfg", "val_cfg", "test_cfg"), LOOPS),
    **dict.fromkeys(("val_evaluator", "test_evaluator"), EVALUATOR),
    "optim_wrapper": OPTIM_WRAPPERS,
    "param_scheduler": PARAM_SCHEDULERS,
    **dict.fromkeys(("default_hooks", "custom_hooks"), HOOKS),
    "model_wrapper_cfg": MODEL_WRAPPERS,
    "visualizer": VISUALIZERS,
    "vis_backends": VISBACKENDS,
    "log_processor": LOG_PROCESSORS,
    "runner_type": RUNNERS,
    **dict.fromkeys(("train_dataloader", "val_dataloader", "test_dataloader")),
    **dict.fromkeys(("scale", "same_size", "patch_size", "flip", "batch_size", "hr_folders")),
    **dict.fromkeys(("seed", "data_root", "sample", "recipe", "custom_imports", "env_cfg")),
    **dict.fromkeys(("log_level", "load_from", "resume", "randomness", "work_dir", "device")),
    **dict.fromkeys(("default_scope", "launcher", "experiment_name", "auto_scale_lr")),
    "compile_model": None,
}

# Further down, the annotation of the argument says what stands there (realdeg.utils.arguments'
# Component). These names say it inside of what has no annotations: mmengine's dicts, and
# components that were written before there were any.
BY_KEY: dict[str, MMEngineRegistry] = {
    **dict.fromkeys(
        ("degradation", "degradations", "parts", "part", "otherwise", "again"), DEGRADATIONS
    ),
    "backbone": BACKBONES,
    "discriminator": DISCRIMINATORS,
    **dict.fromkeys(("loss", "losses"), LOSSES),
    **dict.fromkeys(("dataset", "datasets"), DATASETS),
    **dict.fromkeys(("transform", "transforms", "pipeline"), TRANSFORMS),
    "sampler": DATA_SAMPLERS,
    **dict.fromkeys(("metric", "metrics"), METRICS),
    "optimizer": OPTIMIZERS,
    "constructor": OPTIM_WRAPPER_CONSTRUCTORS,
    **dict.fromkeys(("collate_fn", "worker_init_fn"), FUNCTIONS),
    "data_preprocessor": TASKS,
    "vis_backends": VISBACKENDS,
}
_REGISTRIES = {
    registry.name: registry
    for registry in (*TOP_LEVEL.values(), *BY_KEY.values())
    if registry is not None
}

_Text: TypeAlias = str | os.PathLike  # type: ignore[type-arg]
_Dict: TypeAlias = Mapping[str, Any]
_Dicts: TypeAlias = list[_Dict]

# A `*` stands for one key; None is allowed wherever the top level has it.
PLACES: dict[str, Any] = {
    **dict.fromkeys(("model", "train_cfg", "val_cfg", "test_cfg", "optim_wrapper"), _Dict),
    **dict.fromkeys(("env_cfg", "default_hooks", "log_processor", "visualizer"), _Dict),
    **dict.fromkeys(("randomness", "model_wrapper_cfg", "auto_scale_lr"), _Dict),
    "data_preprocessor": _Dict,
    "default_hooks.*": _Dict | None,
    "custom_hooks": _Dicts,
    "vis_backends": _Dicts,
    "visualizer.vis_backends": _Dicts | None,
    **dict.fromkeys(("env_cfg.mp_cfg", "env_cfg.dist_cfg"), _Dict | None),
    "env_cfg.cudnn_benchmark": bool | None,
    "env_cfg.mp_cfg.mp_start_method": Literal["fork", "spawn", "forkserver"],
    "env_cfg.mp_cfg.opencv_num_threads": int,
    "env_cfg.dist_cfg.backend": str | None,
    "env_cfg.dist_cfg.timeout": int | float | None,
    "randomness.seed": int | None,
    "randomness.deterministic": bool,
    "randomness.diff_rank_seed": bool,
    "auto_scale_lr.base_batch_size": int,
    "auto_scale_lr.enable": bool,
    "*_dataloader": _Dict,
    "*_dataloader.dataset": _Dict,
    "*_dataloader.sampler": _Dict,
    "*_dataloader.batch_sampler": _Dict | None,
    "*_dataloader.collate_fn": _Dict,
    "*_dataloader.worker_init_fn": _Dict,
    "*_dataloader.num_batch_per_epoch": int | None,
    "*_evaluator": _Dict | _Dicts,
    "*_evaluator.metrics": _Dict | _Dicts,
    "param_scheduler": _Dict | _Dicts,
    "optim_wrapper.constructor": str,
    "optim_wrapper.paramwise_cfg": _Dict | None,
    "optim_wrapper.optimizer": _Dict,
    "optim_wrapper.*.optimizer": _Dict,
    "custom_imports.imports": str | list[str],
    "custom_imports.allow_failed_imports": bool,
    **dict.fromkeys(("data_root", "work_dir", "load_from"), _Text),
    **dict.fromkeys(("device", "experiment_name", "recipe", "launcher", "runner_type"), str),
    **dict.fromkeys(("resume", "sample", "same_size"), bool),
    "scale": int | float,
    **dict.fromkeys(("seed", "patch_size", "batch_size"), int),
    "flip": dict[str, bool],
    "hr_folders": _Text | list[_Text],
    "compile_model": bool | _Dict,
    "default_scope": Literal["realdeg", "mmengine"],
    "log_level": Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
}

# Numbers that hang a machine or ask for more than it has, and those that mean nothing.
RANGES: dict[str, tuple[float, float]] = {
    "scale": (1, 64),
    "seed": (0, 2**32 - 1),
    "batch_size": (1, 2**16),
    "randomness.seed": (0, 2**32 - 1),
    "*_dataloader.batch_size": (1, 2**16),
    "*_dataloader.num_workers": (0, 512),
    "*_dataloader.prefetch_factor": (1, 2**12),
    "*_dataloader.timeout": (0, 10**6),
    "*_dataloader.num_batch_per_epoch": (1, 2**40),
    "train_cfg.max_iters": (1, 2**40),
    "train_cfg.val_interval": (1, 2**40),
    "train_cfg.val_begin": (0, 2**40),
    "default_hooks.*.interval": (-1, 2**40),
    "custom_hooks.*.interval": (-1, 2**40),
    "env_cfg.mp_cfg.opencv_num_threads": (0, 1024),
    "auto_scale_lr.base_batch_size": (1, 2**40),
    "optim_wrapper.accumulative_counts": (1, 2**20),
}

# What a dict at these places cannot do without.
TYPED = (
    *("model", "train_cfg", "vis_backends.*", "visualizer.vis_backends.*", "custom_hooks.*"),
    *("*_dataloader.sampler", "*_dataloader.batch_sampler", "*_dataloader.collate_fn"),
    *("*_dataloader.worker_init_fn", "optim_wrapper.optimizer", "optim_wrapper.*.optimizer"),
)


def slot_at(key: str, holder: Any = None) -> MMEngineRegistry | None:
    """Return the registry whose components a key asks for by itself.

    Args:
        key: The key.
        holder: The class whose argument it is, where there is one.

    Returns:
        The registry, or None where neither an annotation nor the key's name says one.
    """
    named = component_registry(holder, key) if holder is not None else None
    return _REGISTRIES.get(named, BY_KEY.get(key)) if named else BY_KEY.get(key)


def registry_at(
    key: str, enclosing: MMEngineRegistry | None, holder: Any = None
) -> MMEngineRegistry | None:
    """Return the registry for a dict with a ``type`` under a key.

    Args:
        key: The key, such as ``dataset``; of ``pixel_loss`` the last word counts.
        enclosing: The registry of the component around it, which goes on where nothing else is
            known.
        holder: That component's class.

    Returns:
        A registry, or None where types mean nothing.
    """
    # A registry is falsy until something is looked up in it.
    for found in (slot_at(key, holder), BY_KEY.get(key.rsplit("_", 1)[-1])):
        if found is not None:
            return found
    return enclosing


def kind_of_place(cfg: Mapping[str, Any], place: str) -> tuple[MMEngineRegistry | None, bool]:
    """Say what may stand at a place of a config that is not checked yet.

    Args:
        cfg: The config.
        place: Keys with dots between them.

    Returns:
        The registry, and whether the place itself asks for a component of it.
    """
    first, *keys = place.split(".")
    registry, explicit, value = TOP_LEVEL.get(first), True, cfg.get(first)
    for key in keys:
        if isinstance(value, list | tuple) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
            continue
        inner = value if isinstance(value, Mapping) else {}
        holder = find_registered(registry, inner.get("type")) if registry is not None else None
        explicit = slot_at(key, holder) is not None
        registry, value = registry_at(key, registry, holder), inner.get(key)
    return registry, explicit and registry is not None


@dataclass(frozen=True)
class Part:
    """A component inside a config."""

    place: str
    """Where it stands."""
    value: Any
    """Its dict, or the path of its file."""
    registry: MMEngineRegistry
    """The registry that its type is looked up in."""
    component: Any
    """What is registered under its type; None for a file of weights."""
    within: MMEngineRegistry | None
    """The registry of the component around it."""


def parts_of(
    value: Any,
    place: str,
    registry: MMEngineRegistry | None,
    within: MMEngineRegistry | None = None,
) -> Iterator[Part]:
    """Yield every component of a tree, outer ones first.

    Args:
        value: A component, a list of them, or a dict that holds some.
        place: Where it stands.
        registry: What its type is looked up in.
        within: The registry of the component around it.

    Yields:
        The components; what was yielded may be changed before the next one is asked for.

    Raises:
        ConfigError: If a type is unknown.
    """
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from parts_of(item, f"{place}.{index}", registry, within)
    if not isinstance(value, Mapping):
        return
    component = None
    if registry is not None and "type" in value:
        component = look_up(registry, value["type"], place)
        yield Part(place, value, registry, component, within)
        within = registry
    elif registry in (BACKBONES, DEGRADATIONS) and "checkpoint" in value:
        yield Part(place, value, registry, None, within)
    for key, item in list(value.items()):
        slot = slot_at(key, component)
        files = [item] if isinstance(item, str) else item if isinstance(item, list | tuple) else []
        for index, file in enumerate(files if slot is DEGRADATIONS else ()):
            if isinstance(file, str) and names_a_file(file):
                where = f"{place}.{key}" if file is item else f"{place}.{key}.{index}"
                yield Part(where, file, slot, None, within)
        yield from parts_of(item, f"{place}.{key}", registry_at(key, registry, component), within)


def look_up(registry: MMEngineRegistry, name: Any, place: str) -> Any:
    """Return what ``name`` stands for in a registry of realdeg or of mmengine.

    Args:
        registry: The registry.
        name: The value of ``type``.
        place: Where it stands, for the message.

    Returns:
        A class or a function.

    Raises:
        ConfigError: If it is unknown, saying what was searched and what comes nearest.
    """
    if not isinstance(name, str):
        if callable(name):
            return name
        raise ConfigError(f"'{place}.type' is {name!r}, wanted the name of a {registry.name}.")
    found = find_registered(registry, name)
    if found is None:
        # mmengine's registries are filled when their modules are imported; its runner needs all.
        import mmengine.runner
        import mmengine.visualization  # noqa: F401

        found = find_registered(registry, name)
    if found is None:
        parent = registry.parent
        known = set(registry.module_dict) | set(parent.module_dict if parent else ())
        own = ", ".join(sorted(registry.module_dict)) or "nothing"
        of = f" and mmengine's {parent.name}s" if parent is not None else ""
        raise ConfigError(
            f"no {registry.name} named '{name}' at '{place}.type': searched {own}{of}."
            f"{nearest(name, known)} Components of your own are brought in by custom_imports or"
            " the 'realdeg.plugins' entry point."
        )
    return found


def is_typed(place: str) -> bool:
    """Say whether a dict at a place needs a ``type``."""
    return any(_matches(place, pattern) for pattern in TYPED)


def entry(table: Mapping[str, Any], place: str) -> Any:
    """Return what a table says of a place, or None."""
    if place in table:
        return table[place]
    return next((value for pattern, value in table.items() if _matches(place, pattern)), None)


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every place below a value, its key and what stands there, outer ones first."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        where = f"{place}.{key}" if place else str(key)
        yield where, key, item
        yield from walk(item, where)


def _matches(place: str, pattern: str) -> bool:
    if "*" not in pattern:
        return place == pattern
    parts, wanted = place.split("."), pattern.split(".")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))
