"""Hand what a config says once (scale, grid, seed, data root, components) to whoever takes it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config

from realdeg.config.paths import config_name, sibling
from realdeg.config.places import look_up, registry_at
from realdeg.config.weights import check_degradation, check_start
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES, DATA_SAMPLERS, DATASETS, DEGRADATIONS, TASKS, TRANSFORMS
from realdeg.utils.arguments import Arguments, arguments_of
from realdeg.utils.mmengine_internals import config_dict, set_note

_GEOMETRY = ("scale", "same_size")
_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def inject(cfg: Config, world_size: int = 1) -> Config:
    """Make a config ready for the runner; the given one stays as it is.

    ``scale``, ``same_size``, ``degradation`` and ``backbone`` go into the model; ``scale``,
    ``same_size``, ``data_root`` and ``seed`` into data sets, transforms and samplers that take
    them; the total batch is divided by the number of processes.

    Args:
        cfg: What ``load_config`` returned.
        world_size: How many processes train.

    Returns:
        A new config.

    Raises:
        ConfigError: If something is missing, said twice, or does not divide.
        GeometryError: If scale or grid of the parts differ.
        CheckpointError: If a learned degradation's file is missing.
    """
    said = _said(cfg)
    cfg = copy.deepcopy(cfg)
    _set_defaults(cfg)
    with naming_sibling(cfg):
        _inject_model(cfg)
        for key in _LOADERS:
            if cfg.get(key) is not None:
                _inject_loader(cfg, key)
    _divide_batch(cfg, world_size)
    _end_schedules(cfg)
    # For the folder of the run, which keeps what was said rather than what was made of it.
    set_note(cfg, "said", (said, copy.deepcopy(dict(config_dict(cfg)))))
    return cfg


def recipe_of(cfg: Config) -> str | None:
    """Return the name of the recipe that a config, or the run that saved it, was made of."""
    recipe = cfg.get("recipe") or (config_name(cfg.filename) if cfg.filename else None)
    return str(recipe) if recipe else None


def _said(cfg: Config) -> dict[str, Any]:
    said = copy.deepcopy(dict(config_dict(cfg)))
    recipe = recipe_of(cfg)
    return {**said, "recipe": recipe} if recipe else said


def _set_defaults(cfg: Config) -> None:
    for key in ("model", "scale", "same_size"):
        if cfg.get(key) is None:
            raise ConfigError(f"the config has no '{key}' at the top level: it needs one.")
    cfg.setdefault("default_scope", "realdeg")
    if cfg.get("seed") is None:
        cfg.seed = 0
    cfg.setdefault("data_root", "data")
    randomness = dict(cfg.get("randomness") or {})
    randomness.setdefault("seed", cfg.seed)
    cfg.randomness = randomness


def _inject_model(cfg: Config) -> None:
    model = cfg.model
    task = look_up(TASKS, model["type"], "model")
    takes = arguments_of(task)
    for key, registry in (("degradation", DEGRADATIONS), ("backbone", BACKBONES)):
        value = cfg.get(key)
        if value is None:
            continue
        if key not in takes and not takes.open:
            raise ConfigError(
                f"the config has a '{key}', but the task {model['type']} takes none: remove it, or"
                " choose another model.type."
            )
        model[key] = _with_geometry(cfg, copy.deepcopy(value), registry, key)
    check_start(cfg)
    for key in _GEOMETRY:
        if key in takes:
            model[key] = cfg[key]
    _check_required(model, takes, "model")
    if "train_degradation" in takes:
        jointly = bool(model.get("train_degradation", False))
        check_degradation(cfg, cfg.get("degradation"), "degradation", jointly=jointly)
    else:
        check_degradation(cfg, cfg.get("degradation"), "degradation", jointly=True)


def _with_geometry(cfg: Config, value: Any, registry: Any, place: str) -> Any:
    """Give a component its scale and grid; its own parts get them from itself."""
    if not isinstance(value, Mapping) or "type" not in value:
        return value
    found = look_up(registry, value["type"], place)
    if not float(cfg.scale).is_integer() and not getattr(found, "any_scale", False):
        raise GeometryError(
            f"'scale' is {cfg.scale}, but '{place}' is a {value['type']}, which comes in whole"
            " scales only."
        )
    takes = arguments_of(found)
    _give_geometry(cfg, value, takes, place)
    _check_required(value, takes, place)
    return value


def _give_geometry(cfg: Config, value: Any, takes: Arguments, place: str) -> None:
    for key in _GEOMETRY:
        if key not in takes:
            continue
        if value.get(key) is not None and value[key] != cfg[key]:
            raise ConfigError(
                f"'{place}.{key}' is {value[key]} and the config's {key} is {cfg[key]}: it is said"
                f" once, at the top level. Remove '{place}.{key}' or change '{key}'."
            )
        value[key] = cfg[key]


def _inject_loader(cfg: Config, key: str) -> None:
    loader = cfg[key]
    tree = _components(loader["dataset"], f"{key}.dataset", DATASETS)
    for place, value, registry in tree:
        found = look_up(registry, value["type"], place)
        takes = arguments_of(found)
        _give_geometry(cfg, value, takes, place)
        if getattr(found, "split_is_a_name", False):
            value.setdefault("split", key.removesuffix("_dataloader"))
        for name in ("data_root", "seed"):
            if name in takes:
                value.setdefault(name, cfg[name])
        if "degradation" in takes and value.get("degradation") is not None:
            at = f"{place}.degradation"
            check_degradation(cfg, value["degradation"], at, jointly=False)
            value["degradation"] = _with_geometry(cfg, value["degradation"], DEGRADATIONS, at)
        _check_required(value, takes, place)
        _check_data_geometry(cfg, found, place)
    outer = look_up(DATASETS, loader["dataset"].get("type"), f"{key}.dataset")
    if getattr(outer, "collated_by", None):
        loader.setdefault("collate_fn", dict(type=outer.collated_by))
    if not loader.get("num_workers"):
        loader.pop("persistent_workers", None)  # torch refuses them without workers
        loader.pop("prefetch_factor", None)
    _inject_sampler(cfg, loader, key)


def _components(value: Any, place: str, registry: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield data sets and transforms of a tree of mixtures, with place and registry."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _components(item, f"{place}.{index}", registry)
    elif isinstance(value, Mapping):
        if "type" in value and registry in (DATASETS, TRANSFORMS):
            yield place, value, registry
        for key, item in value.items():
            inner = registry_at(key, registry)
            if inner in (DATASETS, TRANSFORMS):
                yield from _components(item, f"{place}.{key}", inner)


def _inject_sampler(cfg: Config, loader: Any, key: str) -> None:
    if loader.get("sampler") is None:
        usual = "PositionSampler" if key == "train_dataloader" else "EvalSampler"
        loader["sampler"] = dict(type=usual)
    sampler = loader["sampler"]
    takes = arguments_of(look_up(DATA_SAMPLERS, sampler["type"], f"{key}.sampler"))
    if "seed" in takes:
        sampler.setdefault("seed", cfg.seed)
    if "batch_size" in takes:
        sampler["batch_size"] = loader.get("batch_size", 1)
    scales = cfg.model.get("scales")
    if key == "train_dataloader" and scales is not None:
        if "scales" not in takes:
            raise ConfigError(
                f"'model.scales' draws a scale for each batch, which the sampler {sampler['type']}"
                " does not: use PositionSampler."
            )
        sampler["scales"] = scales


def _divide_batch(cfg: Config, world_size: int) -> None:
    loader = cfg.get("train_dataloader")
    if loader is None:
        return
    total = loader.get("batch_size", 1)
    if not isinstance(total, int) or total < 1:
        raise ConfigError(f"'train_dataloader.batch_size' is {total!r}, wanted 1 or more.")
    if total % world_size:
        raise ConfigError(
            f"'train_dataloader.batch_size' is the total over all processes, and {total} does not"
            f" divide by {world_size} processes: choose a multiple of {world_size}."
        )
    loader["batch_size"] = total // world_size


def _end_schedules(cfg: Config) -> None:
    """Let a cosine end with the run, so that a shorter ``max_iters`` is all there is to say."""
    schedules = cfg.get("param_scheduler")
    for schedule in schedules if isinstance(schedules, list) else [schedules]:
        if schedule and str(schedule.get("type", "")).startswith("CosineAnnealing"):
            schedule.setdefault("T_max", (cfg.get("train_cfg") or {}).get("max_iters"))


def _check_required(value: Mapping[str, Any], takes: Arguments, place: str) -> None:
    missing = [name for name in takes.required if name not in value]
    if missing:
        where = "at the top level of the config" if place == "model" else f"at '{place}'"
        raise ConfigError(f"{value['type']} needs {', '.join(missing)}: set it {where}.")


def _check_data_geometry(cfg: Config, found: Any, place: str) -> None:
    """Refuse data that are known to lie on another grid, before any file is looked for."""
    grid = getattr(found, "grid", None)
    if grid is not None and grid != cfg.same_size:
        raise GeometryError(
            f"'{place}' is a {found.__name__}, whose LR"
            f" {'lies on the HR grid' if grid else 'is smaller than HR'} (same_size={grid}), but"
            f" the config has same_size={cfg.same_size}."
        )


@contextmanager
def naming_sibling(cfg: Config) -> Iterator[None]:
    """Add to a refused geometry the name of the recipe that is like this one and fits.

    Args:
        cfg: The config, with ``filename``.

    Yields:
        Nothing.

    Raises:
        GeometryError: What the block raised, with the name added.
    """
    try:
        yield
    except GeometryError as error:
        scale, same_size = cfg.get("scale"), cfg.get("same_size")
        if not cfg.filename or not isinstance(scale, int) or same_size is None:
            raise
        name = recipe_of(cfg) or ""
        # Where nobody knows what fits: the twin on the other grid, and the recipe of its file.
        candidates = [error.fits] if error.fits else [(scale, not same_size), (scale, same_size)]
        for fitting, grid in candidates:
            other = sibling(name, same_size=grid, scale=fitting)
            if other is not None and other not in str(error):
                raise GeometryError(
                    f"{error} The recipe like this one with same_size={grid} at scale {fitting} is"
                    f" '{other}'."
                ) from error
        raise
