"""Refuse what a config cannot mean, before any data is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.registry import FUNCTIONS, OPTIM_WRAPPER_CONSTRUCTORS, VISBACKENDS
from mmengine.registry import Registry as MMEngineRegistry

from realdeg.config.find import list_configs
from realdeg.config.shape import (
    TOP_LEVEL,
    annotation_at,
    look_up,
    parts_of,
    registry_at,
    slot_at,
    walk,
)
from realdeg.errors import CheckpointError, ConfigError, as_given, nearest
from realdeg.registry import (
    BACKBONES,
    DATASETS,
    DEGRADATIONS,
    DISCRIMINATORS,
    HOOKS,
    LOSSES,
    METRICS,
)
from realdeg.utils.annotations import mismatch, wrong_component
from realdeg.utils.arguments import arguments_of, check_arguments
from realdeg.utils.data_file import check_size
from realdeg.utils.description import read_description
from realdeg.utils.files import names_a_file
from realdeg.utils.geometry import GEOMETRY, check_geometry
from realdeg.utils.mmengine_internals import config_dict

# Not arguments of the component, but words of the config.
_WORDS = ("type", "_scope_", "_delete_")
# mmengine's own keys of a data loader; the rest goes to torch's DataLoader.
_LOADER = (
    *("dataset", "sampler", "batch_sampler", "collate_fn", "worker_init_fn"),
    "num_batch_per_epoch",
)
# Keys that mmengine takes out before it builds what stands at a place.
_TAKEN_OUT = {
    "optim_wrapper": ("constructor", "paramwise_cfg"),
    "param_scheduler": ("convert_to_iter_based",),
    "default_hooks": ("priority",),
    "custom_hooks": ("priority",),
}
# Said once at the top level and handed out from there.
_COMPONENTS = ("degradation", "backbone")
_FIRST = (*_COMPONENTS, "model")
# What a file of weights may stand for, and what may stand there by its name alone.
_WEIGHTS = (BACKBONES, DEGRADATIONS)
_NAMED = (*_WEIGHTS, METRICS)
# Arguments that are names in many classes, whatever else they are in some.
_NAMES = ("constructor", "metric", "transform")
# Where a dict without a type may be something else: several by their names, mmengine's own.
_MANY = ("losses", "data_preprocessor")
# What mmengine's backends write with, which comes with none of us.
_BACKENDS = {
    "TensorboardVisBackend": "tensorboard",
    "WandbVisBackend": "wandb",
    "MLflowVisBackend": "mlflow",
    "ClearMLVisBackend": "clearml",
    "NeptuneVisBackend": "neptune",
    "DVCLiveVisBackend": "dvclive",
    "AimVisBackend": "aim",
}
# What is built without mmengine's scopes.
_UNSCOPED = (BACKBONES, DEGRADATIONS, DISCRIMINATORS, LOSSES, FUNCTIONS)


def check_keys(cfg: Mapping[str, Any]) -> None:
    """Refuse unknown top-level keys, and values of another shape than the engine expects.

    It needs no torch.

    Args:
        cfg: The merged config.

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
                f"'model.{key}' is said once, at the top level: write `{key}=...` there."
            )


def validate(cfg: Mapping[str, Any]) -> None:
    """Refuse unknown keys, types and arguments anywhere in a config.

    Args:
        cfg: The merged config.

    Raises:
        ConfigError: Naming the key, its place and the nearest valid name.
    """
    check_keys(cfg)
    # Mistakes are likeliest where people change things, and these import the least.
    for key in sorted(cfg, key=lambda key: key not in _FIRST):
        value = cfg[key]
        if key.endswith("_dataloader"):
            _check_loader(value, key)
        elif key.endswith("_evaluator") and not (isinstance(value, Mapping) and "metrics" in value):
            _check(value, key, METRICS)  # mmengine wraps bare metrics in an Evaluator
        else:
            _check(value, key, registry_at(key, None, place=key))
    _check_constructor(cfg.get("optim_wrapper"))


def degradations_in(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every degradation of a tree of containers, with its place.

    A file that stands for one is yielded as ``{"checkpoint": file}``.
    """
    if isinstance(value, str) and names_a_file(value):
        yield place, {"checkpoint": value}
    for part in parts_of(value, place, DEGRADATIONS):
        if part.registry is DEGRADATIONS:
            is_dict = isinstance(part.value, Mapping)
            yield part.place, part.value if is_dict else {"checkpoint": part.value}


def check_degradation(cfg: Mapping[str, Any], value: Any, place: str, *, jointly: bool) -> None:
    """Refuse a learned degradation that was not learned, or not for this recipe.

    Args:
        cfg: The config; its scale, same_size and sample count.
        value: The degradation's config.
        place: Where it stands.
        jointly: Whether it is trained in this run, so that it needs no weights.

    Raises:
        ConfigError: If it has no weights, or weights trained on the built-in sample.
        CheckpointError: If the file is missing, naming the command that makes it.
        GeometryError: If the file is of another scale or grid.
    """
    for where, item in degradations_in(value, place):
        file = item.get("checkpoint")
        if file is not None:
            _check_file(cfg, Path(str(file)), where, "no camera's data", geometry=True)
        elif not jointly and _is_learned(item, where):
            raise ConfigError(
                f"'{where}' is an untrained {item['type']}: a network would learn from its random"
                " weights. Give the weights, dict(checkpoint='.../degradation.safetensors'), or"
                " train both together with model.train_degradation=True."
            )


def check_start(cfg: Mapping[str, Any]) -> None:
    """Refuse a backbone that starts from weights which are not there, or of a sample run.

    Args:
        cfg: The config.

    Raises:
        CheckpointError: If the file is missing, naming the command that makes it.
        ConfigError: If it was trained on the built-in sample, and this run is not.
    """
    backbone = cfg.get("backbone")
    start = backbone.get("start_from") if isinstance(backbone, Mapping) else None
    if start and start.get("checkpoint") is not None:  # published ones are fetched when built
        file = Path(str(start["checkpoint"]))
        _check_file(cfg, file, "backbone.start_from", "which is no start", geometry=False)


def _is_learned(item: Mapping[str, Any], place: str) -> bool:
    found = look_up(DEGRADATIONS, item["type"], place)
    return getattr(found, "fitting", None) is not None


def _check_file(
    cfg: Mapping[str, Any], file: Path, place: str, sample: str, *, geometry: bool
) -> None:
    if not file.is_file():
        how = _how_to_make(file, " --sample" if cfg.get("sample") else "")
        raise CheckpointError(f"'{place}': there is no {file}.{how}")
    found = read_description(file)
    if found is None:
        return  # whoever builds it says what is wrong with the file
    if geometry:
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
            # The default work dir is work_dirs/<name>; another one has to be said.
            usual = Path("work_dirs", file.parent.name) == file.parent
            place = "" if usual else f" --work-dir {file.parent}"
            return f" Make it with: realdeg train {name}{flag}{place}"
    return " Train that first, or correct the path."


def _check_shape(cfg: Mapping[str, Any]) -> None:
    check_size(cfg, "the config")
    for place, _, value in walk(cfg):
        _check_value(place, value)
        wanted = annotation_at(place)
        if wanted is None or (value is None and "." not in place):
            continue
        wrong = mismatch(value, wanted)
        item = wrong_component(value, wanted) if wrong else None
        if item is not None:
            place, wrong = f"{place}.{item[0]}", item[1]
        if wrong:
            raise ConfigError(f"'{place}' {wrong}.")


def _check_value(place: str, value: Any) -> None:
    """Refuse what no place takes: texts with NUL, keys that are no texts, numbers out of range."""
    if isinstance(value, Mapping) and "type" in value:
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise ConfigError(f"'{place}' has the key {strange[0]!r}, wanted names of arguments.")
    if place.rpartition(".")[2] == "_scope_" and value not in ("realdeg", "mmengine"):
        raise ConfigError(f"'{place}' is {value!r:.80}, wanted 'realdeg' or 'mmengine'.")
    if isinstance(value, str):
        if "\0" in value or len(value) > 10_000 or not _writable(value):
            raise ConfigError(f"'{place}' is {value[:60]!r}..., which is no text for a setting.")
    if isinstance(value, int) and not -(2**64) < value < 2**64:
        raise ConfigError(f"'{place}' is a number of {value.bit_length()} bits: at most 64 fit.")


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


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


def _check_backend(name: Any, place: str) -> None:
    """Refuse a visualisation backend whose package is not installed."""
    package = _BACKENDS.get(str(name).rpartition(".")[2])
    if package is not None and find_spec(package) is None:
        extra = "'realdeg[tensorboard]'" if package == "tensorboard" else package
        raise ConfigError(
            f"'{place}' is a {name}, which needs the package {package}: pip install {extra}, or"
            " leave this backend out."
        )


def _check_loader(loader: Any, place: str) -> None:
    if loader is None:
        return
    if not isinstance(loader, Mapping):
        raise ConfigError(f"'{place}' is {loader!r}, wanted a dict with a dataset.")
    from torch.utils.data import DataLoader

    DATASETS.names()  # functions that collate come with the data sets
    takes = arguments_of(DataLoader)
    known = (*_LOADER, *takes.names)
    for key, value in loader.items():
        if key not in known:
            raise ConfigError(f"unknown key '{place}.{key}'.{nearest(key, known)}")
        wrong = None if key in _LOADER else takes.mismatch(key, value)
        if wrong:
            raise ConfigError(f"'{place}.{key}' {wrong}.")
        _check(value, f"{place}.{key}", registry_at(key, None, place=f"{place}.{key}"))
    if loader.get("dataset") is None:
        raise ConfigError(f"'{place}' has no dataset.")


def _check(
    value: Any,
    place: str,
    registry: MMEngineRegistry | None,
    holder: Any = None,
    slot: bool | None = None,
) -> None:
    """Check what stands at a place, and all below it.

    Args:
        value: What stands there.
        place: The place.
        registry: What a ``type`` there is looked up in.
        holder: The class whose argument it is.
        slot: Of an item of a list: whether the list asks for components.
    """
    key, item = place.rpartition(".")[2], slot is not None
    if slot is None:
        slot = slot_at(key, holder, place) is not None and key not in _NAMES
    if isinstance(value, list | tuple) and not (item and slot):
        for index, inner in enumerate(value):
            _check(inner, f"{place}.{index}", registry, slot=slot)
        return
    if not isinstance(value, Mapping):
        # Metrics may be named in a list of names, weights by their path; built objects pass.
        builtin = value is not None and type(value).__module__ == "builtins"
        if slot and builtin and not (isinstance(value, str) and registry in _NAMED):
            raise ConfigError(f"'{place}' is {value!r:.200}, wanted a dict with a type.")
        return
    component = None
    if "type" in value and registry is not None:
        component = look_up(registry, value["type"], place)
        if registry is VISBACKENDS:
            _check_backend(value["type"], place)
        _check_arguments(value, component, place, registry)
    elif "checkpoint" in value and registry in _WEIGHTS:
        _check_alone(value, place)
    elif slot and key not in _MANY:
        or_file = " or checkpoint" if registry in _WEIGHTS else ""
        found = ", ".join(sorted(map(str, value))) or "nothing"
        raise ConfigError(f"'{place}' has no type{or_file}: it holds {found}.")
    for key, inner in value.items():
        if key == "start_from":
            _check_start(inner, f"{place}.{key}")
            continue
        where = f"{place}.{key}"
        _check(inner, where, registry_at(key, registry, component, where), component)


def _check_start(value: Any, place: str) -> None:
    if value is None:
        return
    known = ("checkpoint", "pretrained", "scale", "ignore", "partial")
    if not isinstance(value, Mapping) or not {"checkpoint", "pretrained"} & set(value):
        raise ConfigError(
            f"'{place}' is {value!r}, wanted dict(checkpoint='weights', ignore=('tail.',)) or"
            " dict(pretrained='name'): the weights to begin with, and what of them is not taken."
        )
    for key in value:
        if key not in known:
            raise ConfigError(f"unknown key '{place}.{key}'.{nearest(key, known)}")


def _check_alone(value: Mapping[str, Any], place: str) -> None:
    others = sorted(key for key in value if key != "checkpoint")
    if others:
        raise ConfigError(
            f"'{place}' has {', '.join(others)} beside 'checkpoint', but a file of weights says"
            " itself what it is: remove them, or name a type instead of the file."
        )


def _check_arguments(
    value: Mapping[str, Any], component: Any, place: str, registry: MMEngineRegistry
) -> None:
    words = (*_WORDS, *_TAKEN_OUT.get(place.split(".")[0], ()))
    scoped = registry not in _UNSCOPED
    private = [key for key in value if key[:1] == "_" and not (scoped and key == "_scope_")]
    if private:  # they would be handed to the component
        raise ConfigError(f"'{place}' takes no key '{private[0]}'.")
    if registry is BACKBONES:
        # Weights of a named type: results, or a start for training.
        words = (*words, "checkpoint", "pretrained", "start_from")
    if registry is LOSSES:
        words = (*words, "name")  # the name of a term of WeightedLoss
    check_arguments(component, value, place, words)
