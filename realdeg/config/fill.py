"""Inject top-level fields (scale, grid, seed, patch size, components) where they are used."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config, ConfigDict

from realdeg.config.check import check_degradation, check_start
from realdeg.config.find import config_name, sibling
from realdeg.config.refinement import check_refinement
from realdeg.config.shape import Part, look_up, parts_of, trains_degradation, walk
from realdeg.config.steps import end_with_run, schedules_in
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES, DATA_SAMPLERS, DATASETS, DEGRADATIONS, TASKS, TRANSFORMS
from realdeg.utils.arguments import arguments_of
from realdeg.utils.geometry import GEOMETRY, check_geometry
from realdeg.utils.mmengine_internals import config_dict, set_note
from realdeg.utils.processes import drop_worker_options

_STAGES = ("train", "val", "test")


@dataclass(frozen=True)
class Field:
    """A top-level key that is injected into the arguments of its name.

    A class gives the field to an argument of another name by its ``config_fields``,
    ``{"folder": "hr_folders"}``; ``{"transpose": "flip.transpose"}`` takes one key of a dict.
    """

    stages: tuple[str, ...] = _STAGES
    """The data loaders concerned."""
    once: bool = True
    """Whether another value at the place itself is refused. Otherwise that value counts."""
    in_place: tuple[str, ...] = ()
    """The keys by which a later file or option sets the value at the place itself, which removes
    the field from the top level."""


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
"""The fields that are injected into data loaders."""
_OF_DATA = ("patch_size", "flip", "hr_folders")


def inject(cfg: Config, world_size: int = 1) -> Config:
    """Make a config ready for the runner; the given one stays unchanged.

    ``scale``, ``same_size``, ``degradation`` and ``backbone`` go into the model, the fields of
    ``FIELDS`` into the data loaders, data sets, transforms and samplers that take them. The total
    batch is divided by the number of processes.

    Args:
        cfg: What ``load_config`` returned.
        world_size: How many processes train.

    Returns:
        A new config.

    Raises:
        ConfigError: If something is missing, given twice, unused or not divisible.
        GeometryError: If scale or grid of the parts differ.
        CheckpointError: If a learned degradation's file is missing.
    """
    given = copy.deepcopy(dict(config_dict(cfg)))
    if recipe_of(cfg):
        given["recipe"] = recipe_of(cfg)
    cfg = copy.deepcopy(cfg)
    _set_defaults(cfg)
    with recipe_hint(cfg):
        _fill_model(cfg)
        for stage in ("val", "test"):
            check_refinement(cfg, f"{stage}_cfg")
        for stage in _STAGES:
            if cfg.get(f"{stage}_dataloader") is not None:
                _fill_loader(cfg, stage)
    _divide_batch(cfg, world_size)
    _end_schedules(cfg)
    # A run's folder keeps the config as it was given, not as it was injected.
    set_note(cfg, "said", (given, copy.deepcopy(dict(config_dict(cfg)))))
    return cfg


def recipe_of(cfg: Config) -> str | None:
    """Return the name of the recipe that a config, or the run that saved it, is based on."""
    recipe = cfg.get("recipe") or (config_name(cfg.filename) if cfg.filename else None)
    return str(recipe) if recipe else None


def move_fields(new: Mapping[str, Any], old: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write top-level fields where they are used, if a later config sets them there.

    So ``train_dataloader.batch_size=8`` over a config with ``batch_size = 16`` means 8, and is not
    a second value beside it.

    Args:
        new: The config that will override ``old``.
        old: A config; it stays unchanged.

    Returns:
        ``old``, or a copy with such fields moved to their places.
    """
    loader = new.get("train_dataloader")
    if not isinstance(loader, Mapping) or not isinstance(old.get("train_dataloader"), Mapping):
        return old
    keys = {key for _, key, _ in walk(loader)}
    # A list of transforms that sets the patch size also sets, with a bare Flip, how to flip.
    flips = "patch_size" in keys and any(value == "Flip" for _, _, value in walk(loader))
    moved = {
        name
        for name, field in FIELDS.items()
        if old.get(name) is not None
        and name not in new
        and (keys & set(field.in_place) or (name == "flip" and flips))
    }
    if not moved:
        return old
    kept = copy.deepcopy(dict(old))
    below = kept["train_dataloader"]
    with suppress(ConfigError):  # an unknown type is refused when all is merged
        for part in _parts_of_data(below):
            _give(kept, part, moved)
    if "batch_size" in moved:
        below.setdefault("batch_size", kept["batch_size"])
    return {key: value for key, value in kept.items() if key not in moved}


def drop_unused_fields(
    new: Mapping[str, Any], old: Mapping[str, Any], merged: ConfigDict
) -> ConfigDict:
    """Drop the fields of ``old`` whose only users in it are replaced by ``new``.

    Args:
        new: The overriding config.
        old: The one below.
        merged: Both, changed in place.

    Returns:
        ``merged``.
    """
    names = [name for name in _OF_DATA if old.get(name) is not None and name not in new]
    loaders = [cfg.get("train_dataloader") for cfg in (new, old, merged)]
    if names and all(isinstance(loader, Mapping) for loader in loaders):
        with suppress(ConfigError):
            before, after = (_used_fields(loader) for loader in loaders[1:])
            for name in set(names) & (before - after):
                del merged[name]
    return merged


def _parts_of_data(loader: Mapping[str, Any]) -> Iterator[Part]:
    for part in parts_of(loader.get("dataset"), "train_dataloader.dataset", DATASETS):
        if part.component is not None and part.registry in (DATASETS, TRANSFORMS):
            yield part


def _used_fields(loader: Any) -> set[str]:
    sources = (_sources(part.component) for part in _parts_of_data(loader))
    return {field.partition(".")[0] for found in sources for field in found.values()}


def _set_defaults(cfg: Config) -> None:
    for key in ("model", *GEOMETRY):
        if cfg.get(key) is None:
            raise ConfigError(f"the config has no '{key}' at the top level: it needs one.")
    cfg.setdefault("default_scope", "realdeg")
    if cfg.get("seed") is None:
        cfg.seed = 0
    cfg.setdefault("data_root", "data")
    cfg.randomness = {"seed": cfg.seed, **(cfg.get("randomness") or {})}


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
        _fill_component(cfg, next(parts_of(model[key], key, registry)))
    check_start(cfg)
    for key in GEOMETRY:
        if key in takes:
            model[key] = cfg[key]
    _check_required(model, task, "model")
    jointly = trains_degradation(model)
    check_degradation(cfg, cfg.get("degradation"), "degradation", jointly=jointly)


def _fill_component(cfg: Mapping[str, Any], part: Part) -> None:
    """Give a degradation or a network its scale and grid; it passes them on to its own parts."""
    if part.component is None:
        return
    if not float(cfg["scale"]).is_integer() and not getattr(part.component, "any_scale", False):
        raise GeometryError(
            f"'scale' is {cfg['scale']}, but '{part.place}' is a {part.value['type']}, which takes"
            " whole scales only."
        )
    _give(cfg, part, GEOMETRY)
    _check_required(part.value, part.component, part.place)


def _sources(component: Any) -> dict[str, str]:
    """Return the fields that a component's arguments take, by argument."""
    takes = arguments_of(component)
    return {
        **{name: name for name in FIELDS if name in takes},
        **getattr(component, "config_fields", {}),
    }


def _give(cfg: Mapping[str, Any], part: Part, fields: Collection[str]) -> None:
    """Set the arguments of a component that take some of the fields."""
    for argument, source in _sources(part.component).items():
        name, _, key = source.partition(".")
        wanted = cfg.get(name) if name in fields else None
        if key and isinstance(wanted, Mapping):
            wanted = wanted.get(key)
        if wanted is not None:
            _put(part.value, argument, wanted, source, part.place, FIELDS[name].once)


def _put(value: Any, argument: str, wanted: Any, field: str, place: str, once: bool) -> None:
    own = value.get(argument)
    if once and own is not None and own != wanted:
        raise ConfigError(
            f"'{place}.{argument}' is {own} and the config's {field} is {wanted}: it is given once,"
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
        if part.registry in (DATASETS, TRANSFORMS) and part.component is not None:
            _give(cfg, part, fields)
            if getattr(part.component, "split_is_a_name", False):
                part.value.setdefault("split", stage)
            _check_required(part.value, part.component, part.place)
            _check_grid(cfg, part)
        elif part.registry is DEGRADATIONS and part.within is not DEGRADATIONS:
            if part.component is not None or part.file is not None:
                check_degradation(cfg, part.value, part.place, jointly=False)
            _fill_component(cfg, part)
    if stage == "train" and not cfg.get("sample"):
        for name in _OF_DATA:
            if cfg.get(name) is not None and name not in _used_fields(loader):
                raise ConfigError(
                    f"'{name}' is {cfg[name]!r:.80}, but nothing in '{key}' takes it: set it to"
                    " None, or use a data set or a transform that takes it."
                )
    outer = look_up(DATASETS, loader["dataset"].get("type"), place)
    if getattr(outer, "collated_by", None):
        loader.setdefault("collate_fn", dict(type=outer.collated_by))
    drop_worker_options(loader)
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
    if total is None:
        raise ConfigError("'train_dataloader.batch_size' is None, wanted 1 or more.")
    wrapper = cfg.get("optim_wrapper")
    passes = wrapper.get("accumulative_counts", 1) if isinstance(wrapper, Mapping) else 1
    if total % (world_size * passes):
        parts = f"{world_size} processes" if passes == 1 else f"{passes} backward passes"
        if passes > 1 and world_size > 1:
            parts += f" (accumulative_counts) in {world_size} processes"
        elif passes > 1:
            parts += " (optim_wrapper.accumulative_counts)"
        raise ConfigError(
            "'train_dataloader.batch_size' is the total over all processes and backward passes,"
            f" and {total} is not divisible by {parts}: choose a multiple of {world_size * passes}."
        )
    loader["batch_size"] = total // (world_size * passes)


def _end_schedules(cfg: Config) -> None:
    """Have a cosine schedule end with the run, whatever ``max_iters`` is."""
    last = (cfg.get("train_cfg") or {}).get("max_iters")
    if last:
        for _, schedule in schedules_in(cfg.get("param_scheduler")):
            end_with_run(schedule, last)


def _check_required(value: Mapping[str, Any], component: Any, place: str) -> None:
    missing = [name for name in arguments_of(component).required if name not in value]
    if missing:
        where = "at the top level of the config" if place == "model" else f"at '{place}'"
        raise ConfigError(f"{value['type']} needs {', '.join(missing)}: set it {where}.")


def _check_grid(cfg: Mapping[str, Any], part: Part) -> None:
    """Refuse data whose class implies another grid, before any file is read."""
    grid = getattr(part.component, "grid", None)
    if grid is not None:
        where = "lies on the HR grid" if grid else "is smaller than HR"
        what = f"'{part.place}' is a {part.component.__name__}, whose LR {where}: it"
        check_geometry({"same_size": grid}, None, cfg["same_size"], what)


@contextmanager
def recipe_hint(cfg: Config) -> Iterator[None]:
    """Add the related recipe of the right geometry to a GeometryError raised in the block.

    Args:
        cfg: The config, with ``filename``.
    """
    try:
        yield
    except GeometryError as error:
        scale, same_size = cfg.get("scale"), cfg.get("same_size")
        if not cfg.filename or not isinstance(scale, int) or same_size is None:
            raise
        name = recipe_of(cfg) or ""
        # Where the right geometry is unknown: the other grid, then the recipe of the file itself.
        candidates = [error.fits] if error.fits else [(scale, not same_size), (scale, same_size)]
        for other_scale, grid in candidates:
            related = sibling(name, same_size=grid, scale=other_scale)
            if related is not None and related not in str(error):
                raise GeometryError(
                    f"{error} The recipe like this one with same_size={grid} at scale"
                    f" {other_scale} is '{related}'."
                ) from error
        raise
