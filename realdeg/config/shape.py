"""What may stand at each place of a config: which registry's components, which plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import GenericAlias
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Interval
from mmengine.registry import (
    EVALUATOR,
    FUNCTIONS,
    LOG_PROCESSORS,
    MODEL_WRAPPERS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
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
from realdeg.utils.annotations import marks_of
from realdeg.utils.argument_types import Component
from realdeg.utils.arguments import component_registry
from realdeg.utils.files import names_a_file
from realdeg.utils.mmengine_internals import find_registered

# What annotations call the registries (realdeg.utils.arguments' Component).
REGISTRIES: dict[str, MMEngineRegistry] = {
    **{registry.name: registry for registry in (BACKBONES, DEGRADATIONS, DISCRIMINATORS, LOSSES)},
    **{registry.name: registry for registry in (TASKS, DATASETS, TRANSFORMS, DATA_SAMPLERS)},
    **{registry.name: registry for registry in (METRICS, HOOKS, LOOPS)},
    "evaluator": EVALUATOR,
    "function": FUNCTIONS,
    "optimizer": OPTIMIZERS,
    "backend": VISBACKENDS,
}

# Inside of components the annotation of an argument says what stands there. These names say it
# inside of what has no annotations: mmengine's dicts, and components of before there were any.
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
# Where mmengine has a type of its own unless the dict says one.
USUALLY_TYPED: dict[str, MMEngineRegistry] = {
    **dict.fromkeys(("val_cfg", "test_cfg"), LOOPS),
    **dict.fromkeys(("val_evaluator", "test_evaluator"), EVALUATOR),
    "data_preprocessor": TASKS,
    "optim_wrapper": OPTIM_WRAPPERS,
    "param_scheduler": PARAM_SCHEDULERS,
    "model_wrapper_cfg": MODEL_WRAPPERS,
    "visualizer": VISUALIZERS,
    "log_processor": LOG_PROCESSORS,
}

_Text: TypeAlias = str | os.PathLike  # type: ignore[type-arg]
_Dict: TypeAlias = Mapping[str, Any]
_Dicts: TypeAlias = list[_Dict]
_MOST = 2**40


def _typed(kind: str) -> Any:
    return Annotated[_Dict, Component(kind)]


def _whole(least: int, most: int = _MOST) -> Any:
    return Annotated[int, Interval(ge=least, le=most)]


# A `*` stands for one key; None is allowed wherever the top level has it. Limits are where numbers
# mean nothing, hang a machine, or ask for more than it has.
PLACES: dict[str, Any] = {
    "degradation": Annotated[_Dict | _Text, Component("degradation")],
    "backbone": Annotated[_Dict | _Text, Component("backbone")],
    "model": _typed("task"),
    "train_cfg": _typed("loop"),
    **dict.fromkeys(("val_cfg", "test_cfg", "optim_wrapper", "log_processor", "visualizer"), _Dict),
    **dict.fromkeys(("model_wrapper_cfg", "auto_scale_lr", "data_preprocessor"), _Dict),
    **dict.fromkeys(("env_cfg", "default_hooks", "randomness", "custom_imports"), _Dict),
    "default_hooks.*": Annotated[_Dict | None, Component("hook")],
    "custom_hooks": GenericAlias(list, _typed("hook")),
    "vis_backends": GenericAlias(list, _typed("backend")),
    "visualizer.vis_backends": GenericAlias(list, _typed("backend")) | None,
    **dict.fromkeys(("env_cfg.mp_cfg", "env_cfg.dist_cfg"), _Dict | None),
    "env_cfg.cudnn_benchmark": bool | None,
    "env_cfg.mp_cfg.mp_start_method": Literal["fork", "spawn", "forkserver"],
    "env_cfg.mp_cfg.opencv_num_threads": _whole(0, 1024),
    "env_cfg.dist_cfg.backend": str | None,
    "env_cfg.dist_cfg.timeout": float | None,
    "randomness.seed": _whole(0, 2**32 - 1) | None,
    "randomness.deterministic": bool,
    "randomness.diff_rank_seed": bool,
    "auto_scale_lr.base_batch_size": _whole(1),
    "auto_scale_lr.enable": bool,
    **dict.fromkeys(("train_dataloader", "val_dataloader", "test_dataloader"), _Dict),
    "*_dataloader.dataset": _Dict,
    "*_dataloader.sampler": _typed("sampler"),
    "*_dataloader.batch_sampler": _typed("sampler") | None,
    "*_dataloader.collate_fn": _typed("function"),
    "*_dataloader.worker_init_fn": _typed("function"),
    "*_dataloader.batch_size": _whole(1, 2**16) | None,
    "*_dataloader.num_workers": _whole(0, 512),
    "*_dataloader.prefetch_factor": _whole(1, 2**12) | None,
    "*_dataloader.timeout": Annotated[float, Interval(ge=0, le=10**6)],
    "*_dataloader.num_batch_per_epoch": _whole(1) | None,
    **dict.fromkeys(("val_evaluator", "test_evaluator"), _Dict | _Dicts),
    "*_evaluator.metrics": _Dict | _Dicts,
    "param_scheduler": _Dict | _Dicts,
    "optim_wrapper.constructor": str,
    "optim_wrapper.paramwise_cfg": _Dict | None,
    "optim_wrapper.optimizer": _typed("optimizer"),
    "optim_wrapper.*.optimizer": _typed("optimizer"),
    "optim_wrapper.accumulative_counts": _whole(1, 2**20),
    "train_cfg.max_iters": _whole(1),
    "train_cfg.val_interval": _whole(1),
    "train_cfg.val_begin": _whole(0),
    "default_hooks.*.interval": _whole(-1),
    "custom_hooks.*.interval": _whole(-1),
    "custom_imports.imports": str | list[str],
    "custom_imports.allow_failed_imports": bool,
    **dict.fromkeys(("data_root", "work_dir", "load_from"), _Text),
    **dict.fromkeys(("device", "experiment_name", "recipe", "launcher", "runner_type"), str),
    **dict.fromkeys(("resume", "sample", "same_size"), bool),
    "scale": Annotated[float, Interval(ge=1, le=64)],
    "seed": _whole(0, 2**32 - 1),
    "patch_size": _whole(1, 2**16),
    "batch_size": _whole(1, 2**16),
    "flip": dict[str, bool],
    "hr_folders": _Text | list[_Text],
    "compile_model": bool | _Dict,
    "default_scope": Literal["realdeg", "mmengine"],
    "log_level": Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
}
TOP_LEVEL = tuple(place for place in PLACES if "." not in place)
"""The keys that a config may have."""


def annotation_at(place: str) -> Any:
    """Return the annotation of a place, or None where the table says nothing of it."""
    if place in PLACES:
        return PLACES[place]
    return next((said for pattern, said in PLACES.items() if _matches(place, pattern)), None)


def slot_at(key: str, holder: Any = None, place: str = "") -> MMEngineRegistry | None:
    """Return the registry whose components a place asks for by itself.

    Args:
        key: The last key of the place.
        holder: The class whose argument it is, where there is one.
        place: The whole place, where it may be one that the engine reads.

    Returns:
        The registry, or None where neither an annotation nor the key's name says one.
    """
    marks = marks_of(annotation_at(place)) if place else ()
    named = next((mark.registry for mark in marks if isinstance(mark, Component)), None)
    if named is None and holder is not None:
        named = component_registry(holder, key)
    return REGISTRIES.get(named or "", BY_KEY.get(key))


def registry_at(
    key: str, enclosing: MMEngineRegistry | None, holder: Any = None, place: str = ""
) -> MMEngineRegistry | None:
    """Return the registry for a dict with a ``type`` at a place.

    Args:
        key: The last key, such as ``dataset``; of ``pixel_loss`` the last word counts.
        enclosing: The registry of the component around it, which goes on where nothing else is
            known.
        holder: That component's class.
        place: The whole place, where it may be one that the engine reads.

    Returns:
        A registry, or None where types mean nothing.
    """
    # A registry is falsy until something is looked up in it.
    last_word = BY_KEY.get(key.rsplit("_", 1)[-1])
    for found in (slot_at(key, holder, place), USUALLY_TYPED.get(place), last_word):
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
    registry, explicit, value = registry_at(first, None, place=first), True, cfg.get(first)
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
