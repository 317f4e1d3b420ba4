"""Hand what a config says once (scale, grid, seed, patch size, components) to whoever takes it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry as MMEngineRegistry

from realdeg.config.check import check_degradation, check_start
from realdeg.config.find import config_name, sibling
from realdeg.config.shape import Part, look_up, parts_of, walk
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES, DATA_SAMPLERS, DATASETS, DEGRADATIONS, TASKS, TRANSFORMS
from realdeg.utils.arguments import Arguments, arguments_of
from realdeg.utils.geometry import GEOMETRY, check_geometry
from realdeg.utils.mmengine_internals import config_dict, set_note

_STAGES = ("train", "val", "test")


@dataclass(frozen=True)
class Field:
    """A key of the top level that is handed to the arguments of its name.

    A class gives the field to an argument of another name by its ``config_fields``,
    ``{"folder": "hr_folders"}``; ``{"transpose": "flip.transpose"}`` takes one key of a dict.
    """

    stages: tuple[str, ...] = _STAGES
    """In which data loaders."""
    once: bool = True
    """Whether another value in the place itself is refused; otherwise it counts there."""
    in_place: tuple[str, ...] = ()
    """The keys by which a later file or option says it in the place itself, and thereby takes it
    from the top level."""


FIELDS = {
    "scale": Field(),
    "same_size": Field(),
    "data_root": Field(once=False),
    "seed": Field(once=False),
    "patch_size": Field(("train",), in_place=("patch_size",)),
    "flip": Field(("train",), in_place=("horizontal", "vertical", "transpose")),
    "hr_folders": Field(("train",), in_place=("folder",)),
    "batch_size": Field(("train",), in_place=("batch_size",)),
}
"""The fields that are handed out in data loaders."""


def inject(cfg: Config, world_size: int = 1) -> Config:
    """Make a config ready for the runner; the given one stays as it is.

    ``scale``, ``same_size``, ``degradation`` and ``backbone`` go into the model, the fields of
    ``FIELDS`` into the data loaders, their data sets, transforms and samplers that take them; the
    total batch is divided by the number of processes.

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
    said = copy.deepcopy(dict(config_dict(cfg)))
    if recipe_of(cfg):
        said["recipe"] = recipe_of(cfg)
    cfg = copy.deepcopy(cfg)
    _set_defaults(cfg)
    with recipe_hint(cfg):
        _fill_model(cfg)
        for stage in _STAGES:
            if cfg.get(f"{stage}_dataloader") is not None:
                _fill_loader(cfg, stage)
    _divide_batch(cfg, world_size)
    _end_schedules(cfg)
    # For the folder of the run, which keeps what was said rather than what was made of it.
    set_note(cfg, "said", (said, copy.deepcopy(dict(config_dict(cfg)))))
    return cfg


def recipe_of(cfg: Config) -> str | None:
    """Return the name of the recipe that a config, or the run that saved it, was made of."""
    recipe = cfg.get("recipe") or (config_name(cfg.filename) if cfg.filename else None)
    return str(recipe) if recipe else None


def yield_to_places(new: Mapping[str, Any], old: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write a field of the top level where it goes to, if a later config says it there.

    So ``train_dataloader.batch_size=8`` over a config with ``batch_size = 16`` means 8, and is not
    a second value beside it.

    Args:
        new: What will be laid over ``old``.
        old: A config; it stays as it is.

    Returns:
        ``old``, or a copy where such fields stand in their places.
    """
    loader = new.get("train_dataloader")
    if not isinstance(loader, Mapping) or not isinstance(old.get("train_dataloader"), Mapping):
        return old
    keys = {key for _, key, _ in walk(loader)}
    # A list of transforms that says the patch itself says with a bare Flip how to flip.
    flips = "patch_size" in keys and any(value == "Flip" for _, _, value in walk(loader))
    said = {
        name
        for name, field in FIELDS.items()
        if old.get(name) is not None
        and name not in new
        and (keys & set(field.in_place) or (name == "flip" and flips))
    }
    if not said:
        return old
    kept = copy.deepcopy(dict(old))
    below = kept["train_dataloader"]
    with suppress(ConfigError):  # an unknown type is refused when all is merged
        for part in parts_of(below.get("dataset"), "train_dataloader.dataset", DATASETS):
            if part.registry in (DATASETS, TRANSFORMS):
                _give(kept, part.value, part.component, part.place, said)
    if "batch_size" in said:
        below.setdefault("batch_size", kept["batch_size"])
    return {key: value for key, value in kept.items() if key not in said}


def _set_defaults(cfg: Config) -> None:
    for key in ("model", *GEOMETRY):
        if cfg.get(key) is None:
            raise ConfigError(f"the config has no '{key}' at the top level: it needs one.")
    cfg.setdefault("default_scope", "realdeg")
    if cfg.get("seed") is None:
        cfg.seed = 0
    cfg.setdefault("data_root", "data")
    randomness = dict(cfg.get("randomness") or {})
    randomness.setdefault("seed", cfg.seed)
    cfg.randomness = randomness


def _fill_model(cfg: Config) -> None:
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
        model[key] = copy.deepcopy(value)
        _fill_component(cfg, model[key], registry, key)
    check_start(cfg)
    for key in GEOMETRY:
        if key in takes:
            model[key] = cfg[key]
    _check_required(model, takes, "model")
    jointly = "train_degradation" not in takes or bool(model.get("train_degradation", False))
    check_degradation(cfg, cfg.get("degradation"), "degradation", jointly=jointly)


def _fill_component(
    cfg: Mapping[str, Any], value: Any, registry: MMEngineRegistry, place: str
) -> None:
    """Give a degradation or a network its scale and grid; its own parts get them from itself."""
    if not isinstance(value, Mapping) or "type" not in value:
        return
    found = look_up(registry, value["type"], place)
    if not float(cfg["scale"]).is_integer() and not getattr(found, "any_scale", False):
        raise GeometryError(
            f"'scale' is {cfg['scale']}, but '{place}' is a {value['type']}, which comes in whole"
            " scales only."
        )
    _give(cfg, value, found, place, GEOMETRY)
    _check_required(value, arguments_of(found), place)


def _give(cfg: Mapping[str, Any], value: Any, component: Any, place: str, fields: Any) -> None:
    """Fill those arguments of a component that some of the fields go to."""
    takes = arguments_of(component)
    sources = {name: name for name in FIELDS if name in takes}
    sources |= getattr(component, "config_fields", {})
    for argument, source in sources.items():
        name, _, key = source.partition(".")
        said = cfg.get(name) if name in fields else None
        wanted = said.get(key) if key and isinstance(said, Mapping) else said
        if wanted is not None:
            _put(value, argument, wanted, source, place, FIELDS[name].once)


def _put(value: Any, argument: str, wanted: Any, field: str, place: str, once: bool) -> None:
    own = value.get(argument)
    if once and own is not None and own != wanted:
        raise ConfigError(
            f"'{place}.{argument}' is {own} and the config's {field} is {wanted}: it is said once,"
            f" at the top level. Remove '{place}.{argument}' or change '{field}'."
        )
    if once or argument not in value:
        value[argument] = wanted


def _fill_loader(cfg: Config, stage: str) -> None:
    key = f"{stage}_dataloader"
    loader = cfg[key]
    fields = [name for name, field in FIELDS.items() if stage in field.stages]
    if "batch_size" in fields and cfg.get("batch_size") is not None:
        _put(loader, "batch_size", cfg.batch_size, "batch_size", key, once=True)
    place = f"{key}.dataset"
    for part in parts_of(loader["dataset"], place, DATASETS):
        if part.registry in (DATASETS, TRANSFORMS):
            _give(cfg, part.value, part.component, part.place, fields)
            if getattr(part.component, "split_is_a_name", False):
                part.value.setdefault("split", stage)
            _check_required(part.value, arguments_of(part.component), part.place)
            _check_grid(cfg, part)
        elif part.registry is DEGRADATIONS and part.within is not DEGRADATIONS:
            check_degradation(cfg, part.value, part.place, jointly=False)
            _fill_component(cfg, part.value, DEGRADATIONS, part.place)
    outer = look_up(DATASETS, loader["dataset"].get("type"), place)
    if getattr(outer, "collated_by", None):
        loader.setdefault("collate_fn", dict(type=outer.collated_by))
    if not loader.get("num_workers"):
        loader.pop("persistent_workers", None)  # torch refuses them without workers
        loader.pop("prefetch_factor", None)
    _fill_sampler(cfg, loader, key)


def _fill_sampler(cfg: Config, loader: Any, key: str) -> None:
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


def _check_grid(cfg: Mapping[str, Any], part: Part) -> None:
    """Refuse data that are known to lie on another grid, before any file is looked for."""
    grid = getattr(part.component, "grid", None)
    if grid is not None:
        lies = "lies on the HR grid" if grid else "is smaller than HR"
        what = f"'{part.place}' is a {part.component.__name__}, whose LR {lies}: it"
        check_geometry({"same_size": grid}, None, cfg["same_size"], what)


@contextmanager
def recipe_hint(cfg: Config) -> Iterator[None]:
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
