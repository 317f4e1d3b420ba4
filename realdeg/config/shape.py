"""What is allowed at each place of a config: components of which registry, which plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Interval, MinLen
from mmengine import registry as theirs
from mmengine.registry import Registry as MMEngineRegistry

from realdeg import registry as ours
from realdeg.errors import ConfigError, nearest
from realdeg.registry import BACKBONES, DEGRADATIONS, Registry
from realdeg.utils.annotations import marks_of
from realdeg.utils.argument_types import Component
from realdeg.utils.arguments import arguments_of, component_mark
from realdeg.utils.files import names_a_file
from realdeg.utils.mmengine_internals import find_registered
from realdeg.utils.trackers import Tracker

WEIGHTS = (BACKBONES, DEGRADATIONS)
"""The registries whose components may be given as files of weights."""

# The names that annotations use for the registries (realdeg.utils.arguments' Component).
REGISTRIES: dict[str, MMEngineRegistry] = {
    **{item.name: item for item in vars(ours).values() if isinstance(item, ours.Registry)},
    "evaluator": theirs.EVALUATOR,
    "function": theirs.FUNCTIONS,
    "optimizer": theirs.OPTIMIZERS,
    "backend": theirs.VISBACKENDS,
}

# A component's annotations say which arguments are components. These names are for what has no
# annotations: mmengine's dicts, and third-party components.
BY_KEY: dict[str, MMEngineRegistry] = {
    **dict.fromkeys(
        ("degradation", "degradations", "parts", "part", "otherwise", "again"), DEGRADATIONS
    ),
    "backbone": BACKBONES,
    "discriminator": ours.DISCRIMINATORS,
    **dict.fromkeys(("loss", "losses"), ours.LOSSES),
    **dict.fromkeys(("dataset", "datasets"), ours.DATASETS),
    **dict.fromkeys(("transform", "transforms", "pipeline"), ours.TRANSFORMS),
    "sampler": ours.DATA_SAMPLERS,
    **dict.fromkeys(("metric", "metrics"), ours.METRICS),
    "optimizer": theirs.OPTIMIZERS,
    "constructor": theirs.OPTIM_WRAPPER_CONSTRUCTORS,
    **dict.fromkeys(("collate_fn", "worker_init_fn"), theirs.FUNCTIONS),
    "data_preprocessor": ours.TASKS,
    "vis_backends": theirs.VISBACKENDS,
}
# Where mmengine has a default type.
USUALLY_TYPED: dict[str, MMEngineRegistry] = {
    **dict.fromkeys(("val_cfg", "test_cfg"), ours.LOOPS),
    **dict.fromkeys(("val_evaluator", "test_evaluator"), theirs.EVALUATOR),
    "data_preprocessor": ours.TASKS,
    "optim_wrapper": ours.OPTIM_WRAPPERS,
    "param_scheduler": theirs.PARAM_SCHEDULERS,
    "model_wrapper_cfg": theirs.MODEL_WRAPPERS,
    "visualizer": theirs.VISUALIZERS,
    "log_processor": theirs.LOG_PROCESSORS,
}
# Arguments that are names in many classes, whatever else they are in some.
_NAMES = ("constructor", "metric", "transform")
# Dicts whose ``type`` names no component.
_PLAIN = ("clip_grad",)

_Text: TypeAlias = str | os.PathLike  # type: ignore[type-arg]
_Dict: TypeAlias = Mapping[str, Any]
_Dicts: TypeAlias = list[_Dict]


def _typed(kind: str) -> Any:
    return Annotated[_Dict, Component(kind)]


def _whole(least: int, most: int | None = None) -> Any:
    return Annotated[int, Ge(least) if most is None else Interval(ge=least, le=most)]


# A `*` matches one key. A top-level key may always be None. Limits exclude numbers that mean
# nothing, hang a machine, or ask for more than it has.
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
    **dict.fromkeys(("optim_wrapper.clip_grad", "optim_wrapper.*.clip_grad"), _Dict | None),
    "optim_wrapper.paramwise_cfg.custom_keys": dict[str, _Dict],
    "optim_wrapper.*.paramwise_cfg.custom_keys": dict[str, _Dict],
    **dict.fromkeys(("val_cfg.back_projection", "test_cfg.back_projection"), _Dict | None),
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
    "memory_format": Literal["contiguous", "channels_last"],
    "precision": Literal["float32", "bfloat16"],
    "freeze": list[str] | _Dict,
    "freeze.patterns": Annotated[list[str], MinLen(1)],
    "freeze.until": _whole(1),
    "default_scope": Literal["realdeg", "mmengine"],
    "log_to": Tracker | list[Tracker],
    "log_level": Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
}
TOP_LEVEL = tuple(place for place in PLACES if "." not in place)
"""The keys that a config may have."""


@lru_cache(maxsize=1 << 14)
def annotation_at(place: str) -> Any:
    """Return the annotation of a place, or None where the table has none."""
    if place in PLACES:
        return PLACES[place]
    return next((wanted for pattern, wanted in PLACES.items() if _matches(place, pattern)), None)


def _matches(place: str, pattern: str) -> bool:
    if "*" not in pattern:
        return False
    parts, wanted = place.split("."), pattern.split(".")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def mark_at(key: str, holder: Any = None, place: str = "") -> Component | None:
    """Return the mark of a place that asks for components by its annotation, or None.

    Args:
        key: The last key of the place.
        holder: The class whose argument it is, if any.
        place: The whole place, where ``PLACES`` may list it.
    """
    marks = marks_of(annotation_at(place)) if place else ()
    found = next((mark for mark in marks if isinstance(mark, Component)), None)
    return component_mark(holder, key) if found is None and holder is not None else found


def slot_at(key: str, holder: Any = None, place: str = "") -> MMEngineRegistry | None:
    """Return the registry of the components that a place asks for, by annotation or by name.

    Args:
        key: The last key of the place.
        holder: The class whose argument it is, if any.
        place: The whole place, where ``PLACES`` may list it.

    Returns:
        The registry, or None where the place may hold something else.
    """
    mark = mark_at(key, holder, place)
    return REGISTRIES.get("" if mark is None else mark.registry, BY_KEY.get(key))


def registry_at(
    key: str, enclosing: MMEngineRegistry | None, holder: Any = None, place: str = ""
) -> MMEngineRegistry | None:
    """Return the registry in which a ``type`` at a place is looked up, or None.

    Args:
        key: The last key, such as ``dataset``. Of ``pixel_loss`` the last word counts.
        enclosing: The registry of the component around it, the last resort.
        holder: That component's class.
        place: As for :func:`slot_at`.
    """
    if key in _PLAIN:
        return None
    # A registry is falsy until something is looked up in it.
    last_word = BY_KEY.get(str(key).rsplit("_", 1)[-1])
    known = (slot_at(key, holder, place), USUALLY_TYPED.get(place), last_word, enclosing)
    return next((registry for registry in known if registry is not None), None)


def kind_of_place(cfg: Mapping[str, Any], place: str) -> tuple[MMEngineRegistry | None, bool]:
    """Return the registry of a place in an unchecked config, and whether it asks for a component.

    Args:
        cfg: The config, merged but not yet checked.
        place: Keys with dots between them.
    """
    first, *keys = place.split(".")
    registry, explicit, value = registry_at(first, None, place=first), True, cfg.get(first)
    for key in keys:
        if isinstance(value, list | tuple) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
            continue
        inner = value if isinstance(value, Mapping) else {}
        holder = _registered(registry, inner.get("type")) if registry is not None else None
        explicit = slot_at(key, holder) is not None
        registry, value = registry_at(key, registry, holder), inner.get(key)
    return registry, explicit and registry is not None


@dataclass(frozen=True)
class Part:
    """A dict in a config, or anything else where a component is asked for."""

    place: str
    value: Any
    registry: MMEngineRegistry | None
    """The registry of its ``type``."""
    component: Any
    """What is registered under its ``type``, or None where it has none."""
    within: MMEngineRegistry | None
    """The registry of the component around it."""
    asked: bool
    """Whether the place asks for a component."""
    mark: Component | None = None
    """What the annotation of the place says about it."""

    @property
    def file(self) -> str | None:
        """The file of weights that it names instead of a type."""
        if self.component is not None or self.registry not in WEIGHTS:
            return None
        if isinstance(self.value, Mapping):
            named = self.value.get("checkpoint")
            return None if named is None else str(named)
        return self.value if isinstance(self.value, str) and names_a_file(self.value) else None


def parts_of(
    value: Any,
    place: str,
    registry: MMEngineRegistry | None,
    within: MMEngineRegistry | None = None,
    holder: Any = None,
    asked: bool | None = None,
    mark: Component | None = None,
) -> Iterator[Part]:
    """Yield every dict of a tree and what is where components are asked for, outer ones first.

    Args:
        value: The tree.
        place: Its place in the config.
        registry: The registry of its ``type``.
        within: The registry of the component around it.
        holder: The class whose argument it is.
        asked: Whether its place asks for a component; None asks :func:`slot_at`.
        mark: What the annotation of its place says; looked up with ``asked``.

    Yields:
        The parts. One may be changed before the next is asked for.

    Raises:
        ConfigError: If a type is unknown.
    """
    is_item = asked is not None
    if asked is None:
        key = place.rpartition(".")[2]
        mark = mark_at(key, holder, place)
        asked = key not in _NAMES and slot_at(key, holder, place) is not None
        asked = asked and not (mark is not None and mark.optional)
    if isinstance(value, list | tuple) and not (is_item and asked):
        for index, item in enumerate(value):
            yield from parts_of(item, f"{place}.{index}", registry, within, asked=asked, mark=mark)
    elif isinstance(value, Mapping):
        component = None
        if registry is not None and "type" in value:
            component = look_up(registry, value["type"], place)
        yield Part(place, value, registry, component, within, asked, mark)
        within = within if component is None else registry
        for key, item in list(value.items()):
            if key != "start_from":
                where = f"{place}.{key}"
                inner = registry_at(key, registry, component, where)
                yield from parts_of(item, where, inner, within, component)
    elif asked:
        yield Part(place, value, registry, None, within, asked, mark)


def trains_degradation(model: Mapping[str, Any]) -> bool:
    """Return whether a task trains the degradation of its config, which then needs no weights.

    Args:
        model: The config of the task.
    """
    task = look_up(ours.TASKS, model["type"], "model")
    always = "train_degradation" not in arguments_of(task)
    return always or bool(model.get("train_degradation", False))


def look_up(registry: MMEngineRegistry, name: Any, place: str) -> Any:
    """Return the class or function registered under a name, in realdeg's or mmengine's registry.

    Args:
        registry: The registry.
        name: The value of ``type``.
        place: Its place, for the message.

    Raises:
        ConfigError: If it is unknown, naming what was searched and the nearest name.
    """
    if not isinstance(name, str):
        if callable(name):
            return name
        raise ConfigError(f"'{place}.type' is {name!r}, wanted the name of a {registry.name}.")
    component = _registered(registry, name)
    if component is None:
        # mmengine's registries are filled when their modules are imported; its runner needs all.
        import mmengine.runner
        import mmengine.visualization  # noqa: F401

        component = _registered(registry, name)
    if component is None:
        parent = registry.parent
        names = registry.all_names() if isinstance(registry, Registry) else registry.module_dict
        known = set(names) | set(parent.module_dict if parent else ())
        own = ", ".join(sorted(names)) or "nothing"
        of = f" and mmengine's {parent.name}s" if parent is not None else ""
        raise ConfigError(
            f"no {registry.name} named '{name}' at '{place}.type': searched {own}{of}."
            f"{nearest(name, known)} Components of your own are brought in by custom_imports or"
            " the 'realdeg.plugins' entry point."
        )
    return component


def _registered(registry: MMEngineRegistry, name: Any) -> Any:
    if isinstance(registry, Registry):
        return registry.get(name)
    return find_registered(registry, name)


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield place, key and value of everything below a value, outer ones first."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        where = f"{place}.{key}" if place else str(key)
        yield where, key, item
        yield from walk(item, where)
