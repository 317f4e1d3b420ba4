"""Refuse what a config cannot mean, before any data is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import Any

from mmengine.registry import FUNCTIONS, OPTIM_WRAPPER_CONSTRUCTORS, VISBACKENDS

from realdeg.config.find import list_configs
from realdeg.config.schedules import check_schedules
from realdeg.config.shape import (
    TOP_LEVEL,
    WEIGHTS,
    Part,
    annotation_at,
    look_up,
    parts_of,
    registry_at,
    walk,
)
from realdeg.config.steps import check_compilation, check_hooks, check_steps
from realdeg.errors import CheckpointError, ConfigError, as_given, nearest
from realdeg.registry import (
    BACKBONES,
    DATASETS,
    DEGRADATIONS,
    DISCRIMINATORS,
    HOOKS,
    LOSSES,
    METRICS,
    OPTIM_WRAPPERS,
    TASKS,
    Registry,
)
from realdeg.utils.annotations import mismatch, wrong_item
from realdeg.utils.arguments import arguments_of, check_arguments
from realdeg.utils.clipping import check_clipping
from realdeg.utils.data_file import check_size
from realdeg.utils.description import read_description
from realdeg.utils.files import weights_in
from realdeg.utils.geometry import GEOMETRY, check_geometry
from realdeg.utils.mmengine_internals import config_dict
from realdeg.utils.trackers import check_trackers

# mmengine's own keys of a data loader; the rest goes to torch's DataLoader.
_LOADER = (
    *("dataset", "sampler", "batch_sampler", "collate_fn", "worker_init_fn"),
    "num_batch_per_epoch",
)
# Keys that mmengine removes before it builds what is at a place.
_REMOVED = {
    "optim_wrapper": ("constructor", "paramwise_cfg"),
    "param_scheduler": ("convert_to_iter_based",),
    "default_hooks": ("priority",),
    "custom_hooks": ("priority",),
}
# Keys that builders remove, where no annotation lists them.
_OF_BUILDERS: dict[Any, tuple[str, ...]] = {
    BACKBONES: ("checkpoint", "pretrained", "start_from"),
    LOSSES: ("name",),
    DISCRIMINATORS: ("start_from",),
}
# Given once at the top level, and injected from there.
_COMPONENTS = ("degradation", "backbone")
_FIRST = (*_COMPONENTS, "model")
# What may be given by its name alone.
_NAMED = (*WEIGHTS, METRICS)
# Where a dict without a type may be something else: several by their names, mmengine's own.
_MANY = ("losses", "data_preprocessor")
# The packages of mmengine's backends (WandbVisBackend, ...), which realdeg does not require.
_BACKENDS = ("tensorboard", "wandb", "mlflow", "clearml", "neptune", "dvclive", "aim")
# What is built without mmengine's scopes.
_UNSCOPED = (BACKBONES, DEGRADATIONS, DISCRIMINATORS, LOSSES, FUNCTIONS)


def check_keys(cfg: Mapping[str, Any]) -> None:
    """Refuse unknown top-level keys, and values of another type than the engine expects.

    It needs no torch.

    Raises:
        ConfigError: Naming the key and the nearest known one, or the place and what is wanted.
    """
    for key in cfg:
        if key not in TOP_LEVEL:
            raise ConfigError(
                f"unknown top-level key '{key}' in the config.{nearest(key, TOP_LEVEL)}"
                " A helper variable of a config file is named with two leading underscores."
            )
    _check_shape(config_dict(cfg))
    model = cfg.get("model")
    for key in (*_COMPONENTS, *GEOMETRY):
        if isinstance(model, Mapping) and key in model:
            raise ConfigError(
                f"'model.{key}' is given once, at the top level: write `{key}=...` there."
            )


def validate(cfg: Mapping[str, Any]) -> None:
    """Refuse unknown keys, types and arguments anywhere in a config.

    Raises:
        ConfigError: Naming the key, its place and the nearest valid name.
    """
    check_keys(cfg)
    # Mistakes are likeliest where people change things, and these import the least.
    for key in sorted(cfg, key=lambda key: key not in _FIRST):
        value = cfg[key]
        if key.endswith("_dataloader"):
            _check_loader(value, key)
        registry = registry_at(key, None, place=key)
        if key.endswith("_evaluator") and not (isinstance(value, Mapping) and "metrics" in value):
            registry = METRICS  # mmengine wraps bare metrics in an Evaluator
        for part in parts_of(value, key, registry):
            _check_part(part)
    _check_constructor(cfg.get("optim_wrapper"))
    _check_task(cfg)
    check_steps(cfg)
    check_schedules(cfg)
    check_hooks(cfg)
    check_compilation(cfg.get("compile_model"))
    check_trackers(cfg.get("log_to"))
    freeze = cfg.get("freeze")
    if isinstance(freeze, Mapping):
        check_arguments(HOOKS.require("FreezeHook"), freeze, "freeze")
        if "patterns" not in freeze:
            raise ConfigError("'freeze' has no patterns: add patterns=['head', 'body.0.*'].")


def degradations_in(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield place and config of every degradation in a tree of containers.

    A file that is given instead of one is yielded as ``{"checkpoint": file}``.
    """
    for part in parts_of(value, place, DEGRADATIONS, asked=True):
        if part.registry is DEGRADATIONS and part.component is not None:
            yield part.place, part.value
        elif part.registry is DEGRADATIONS and part.file is not None:
            yield part.place, {"checkpoint": part.file}


def check_degradation(cfg: Mapping[str, Any], value: Any, place: str, *, jointly: bool) -> None:
    """Refuse a learned degradation that has no weights, or weights that do not fit this recipe.

    Args:
        cfg: The config. Its ``scale``, ``same_size`` and ``sample`` count.
        value: The degradation's config.
        place: Its place.
        jointly: Whether this run trains it, so that it needs no weights.

    Raises:
        ConfigError: If it has no weights, or weights trained on the built-in sample.
        CheckpointError: If the file is missing, naming the command that makes it.
        GeometryError: If the file has another scale or grid.
    """
    for where, item in degradations_in(value, place):
        file = item.get("checkpoint")
        if file is not None:
            _check_file(cfg, str(file), where, "not on a camera's data", geometry=True)
            continue
        learned = getattr(look_up(DEGRADATIONS, item["type"], where), "fitting", None) is not None
        if learned and not jointly:
            raise ConfigError(
                f"'{where}' is an untrained {item['type']}: a network would learn from its random"
                " weights. Give the weights, dict(checkpoint='.../degradation.safetensors'), or"
                " train both together with model.train_degradation=True."
            )


def check_start(cfg: Mapping[str, Any]) -> None:
    """Refuse a network that starts from weights that are missing or from a sample run.

    Raises:
        CheckpointError: If the file is missing, naming the command that makes it.
        ConfigError: If it was trained on the built-in sample, and this run is not.
    """
    model = cfg.get("model")
    parts = {"backbone": cfg.get("backbone")}
    for name, value in model.items() if isinstance(model, Mapping) else ():
        if name.endswith("discriminator"):
            parts[f"model.{name}"] = value
    for place, part in parts.items():
        for where, start in _starts(part, f"{place}.start_from"):
            if start.get("checkpoint") is not None:  # published ones are fetched when built
                file, what = str(start["checkpoint"]), "which is not a start for training"
                _check_file(cfg, file, where, what, geometry=False)


def _starts(part: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what a network starts from, and what its own parts do, each with its place."""
    if not isinstance(part, Mapping):
        return
    for key, value in part.items():
        if key == "start_from" and isinstance(value, Mapping):
            yield place, value
        elif key != "start_from":
            yield from _starts(value, f"{place.removesuffix('start_from')}{key}.start_from")


def check_files(cfg: Mapping[str, Any], place: str = "model") -> None:
    """Refuse a run whose components lack files that they load later, such as a trunk's.

    A component says so by a class method ``check_files(config, place)``.

    Args:
        cfg: The config, after injection.
        place: Where the components stand that are asked.

    Raises:
        RealdegError: Of the component's own kind, naming the place, the file and what to do.
    """
    for part in parts_of(cfg.get("model"), "model", TASKS):
        check = getattr(part.component, "check_files", None)
        if check is not None and f"{part.place}.".startswith(f"{place}."):
            check(part.value, part.place)


def _check_file(
    cfg: Mapping[str, Any], named: str, place: str, sample: str, *, geometry: bool
) -> None:
    file = weights_in(named) or Path(named)
    if not file.is_file():
        how = _how_to_make(file, " --sample" if cfg.get("sample") else "")
        raise CheckpointError(f"'{place}': there is no {file}.{how}")
    found = read_description(file)
    if found is None:
        return  # its builder reports what is wrong with the file
    if geometry and getattr(DEGRADATIONS.get(found.type), "fixed_geometry", True):
        what = f"'{place}': the {found.type} in {file}"
        check_geometry(found.arguments, cfg.get("scale"), cfg.get("same_size"), what)
    if found.meta.get("sample") and not cfg.get("sample"):
        raise ConfigError(
            f"'{place}': {file} was trained on the built-in sample images, {sample}."
            f"{_how_to_make(file, '').rstrip('.')}; or run this recipe with"
            f" {as_given(sample=True)} too."
        )


def _how_to_make(file: Path, flag: str) -> str:
    for name in list_configs():
        if name.rsplit("/", 1)[-1] == file.parent.name:
            # The default work dir is work_dirs/<name>; another one has to be given.
            usual = Path("work_dirs", file.parent.name) == file.parent
            place = "" if usual else f" --work-dir {file.parent}"
            return f" Make it with: realdeg train {name}{flag}{place}"
    return " Train that first, or correct the path."


def _check_shape(cfg: Mapping[str, Any]) -> None:
    check_size(cfg, "the config")
    places = [(place, value) for place, _, value in walk(cfg)]
    for place, value in places:
        _check_value(place, value)
    for place, value in places:
        wanted = annotation_at(place)
        if wanted is None or (value is None and "." not in place):
            continue
        wrong = mismatch(value, wanted)
        if wrong:
            inside, wrong = wrong_item(value, wanted) or (None, wrong)
            where = place if inside is None else f"{place}.{inside}"
            raise ConfigError(f"'{where}' {wrong}.")


def _check_value(place: str, value: Any) -> None:
    """Refuse strings with NUL, keys that are not strings, and numbers out of range, anywhere."""
    if isinstance(value, Mapping) and "type" in value:
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise ConfigError(f"'{place}' has the key {strange[0]!r}, wanted names of arguments.")
    if place.rpartition(".")[2] == "_scope_" and value not in ("realdeg", "mmengine"):
        raise ConfigError(f"'{place}' is {value!r:.80}, wanted 'realdeg' or 'mmengine'.")
    if isinstance(value, str):
        surrogates = any("\ud800" <= character <= "\udfff" for character in value)
        if "\0" in value or len(value) > 10_000 or surrogates:
            raise ConfigError(f"'{place}' is {value[:60]!r}..., which is not a text for a setting.")
    if isinstance(value, float) and isnan(value):
        raise ConfigError(f"'{place}' is nan, wanted a number.")
    if isinstance(value, int) and not -(2**64) < value < 2**64:
        raise ConfigError(f"'{place}' is a number of {value.bit_length()} bits: at most 64 fit.")


def _check_constructor(wrapper: Any) -> None:
    if isinstance(wrapper, Mapping) and not {"optimizer", "constructor", "type"} & set(wrapper):
        found = ", ".join(map(str, wrapper)) or "nothing"
        raise ConfigError(
            f"'optim_wrapper' has no optimizer: it holds {found}."
            " Add optimizer=dict(type='Adam', lr=1e-4), or a constructor."
        )
    name = wrapper.get("constructor") if isinstance(wrapper, Mapping) else None
    if name is not None:
        HOOKS.names()  # realdeg's own constructors come with its hooks
        look_up(OPTIM_WRAPPER_CONSTRUCTORS, name, "optim_wrapper.constructor")


def _check_task(cfg: Mapping[str, Any]) -> None:
    model = cfg.get("model")
    if isinstance(model, Mapping) and "type" in model:
        check_together = getattr(look_up(TASKS, model["type"], "model"), "check_recipe", None)
        if check_together is not None:
            check_together(cfg)


def _check_backend(name: Any, place: str) -> None:
    """Refuse a visualisation backend whose package is not installed."""
    package = str(name).rpartition(".")[2].removesuffix("VisBackend").lower()
    if package in _BACKENDS and find_spec(package) is None:
        extra = "'realdeg[tensorboard]'" if package == "tensorboard" else package
        raise ConfigError(
            f"'{place}' is a {name}, which needs the package {package}: pip install {extra}, or"
            " remove this backend."
        )


def _check_loader(loader: Mapping[str, Any] | None, place: str) -> None:
    if loader is None:
        return
    from torch.utils.data import DataLoader

    DATASETS.names()  # functions that collate are registered with the data sets
    arguments_of(DataLoader).check(loader, "DataLoader", place, also=_LOADER)
    if loader.get("dataset") is None:
        raise ConfigError(f"'{place}' has no dataset.")


def _check_part(part: Part) -> None:
    value, place, registry = part.value, part.place, part.registry
    if not isinstance(value, Mapping):
        # Metrics may be given by name, weights by their path; objects that are built pass.
        plain = value is not None and type(value).__module__ == "builtins"
        if plain and not (isinstance(value, str) and registry in _NAMED):
            raise ConfigError(f"'{place}' is {value!r:.200}, wanted a dict with a type.")
        return
    if part.component is not None:
        if registry is VISBACKENDS:
            _check_backend(value["type"], place)
        if part.mark is not None and isinstance(registry, Registry):
            registry.check_kind(part.component, part.mark.kind, place)
        _check_arguments(part)
        check_together = getattr(part.component, "check_config", None)
        if check_together is not None:
            check_together(value, place)
    elif "checkpoint" in value and registry in WEIGHTS:
        others = sorted(key for key in value if key != "checkpoint")
        if others:
            raise ConfigError(
                f"'{place}' has {', '.join(others)} beside 'checkpoint', but a file of weights"
                " describes itself: remove them, or name a type instead of the file."
            )
    elif part.asked and place.rpartition(".")[2] not in _MANY:
        or_file = " or checkpoint" if registry in WEIGHTS else ""
        found = ", ".join(sorted(map(str, value))) or "nothing"
        raise ConfigError(f"'{place}' has no type{or_file}: it holds {found}.")
    if value.get("start_from") is not None:
        _check_start(value["start_from"], f"{place}.start_from")
    if registry is OPTIM_WRAPPERS and isinstance(value.get("clip_grad"), Mapping):
        check_clipping(value["clip_grad"], f"{place}.clip_grad")


def _check_start(value: Any, place: str) -> None:
    known = ("checkpoint", "pretrained", "scale", "ignore", "partial")
    if not isinstance(value, Mapping) or not {"checkpoint", "pretrained"} & set(value):
        raise ConfigError(
            f"'{place}' is {value!r}, wanted dict(checkpoint='weights', ignore=('tail.',)) or"
            " dict(pretrained='name'): the weights to start from, and what to ignore of them."
        )
    for key in value:
        if key not in known:
            raise ConfigError(f"unknown key '{place}.{key}'.{nearest(key, known)}")


def _check_arguments(part: Part) -> None:
    value, registry = part.value, part.registry
    scoped = registry not in _UNSCOPED
    private = [key for key in value if key[:1] == "_" and not (scoped and key == "_scope_")]
    if private:  # they would be given to the component
        raise ConfigError(f"'{part.place}' takes no key '{private[0]}'.")
    removed = _REMOVED.get(part.place.split(".")[0], ())
    builders = _OF_BUILDERS.get(registry, ())
    if registry is LOSSES and part.mark is not None:
        builders = part.mark.keys
    also = (*removed, *builders)
    check_arguments(part.component, value, part.place, also)
