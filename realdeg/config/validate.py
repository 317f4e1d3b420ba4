"""Refuse what a config cannot mean, before any data is read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from mmengine.registry import FUNCTIONS, OPTIM_WRAPPER_CONSTRUCTORS, VISBACKENDS

from realdeg.config.places import TOP_LEVEL, look_up, registry_at
from realdeg.config.schema import check_shape, is_typed, key_fault
from realdeg.errors import ConfigError, nearest
from realdeg.registry import BACKBONES, DATASETS, DEGRADATIONS, DISCRIMINATORS, LOSSES, METRICS
from realdeg.utils.arguments import arguments_of, check_arguments

# Not arguments of the component, but words of the config.
_WORDS = ("type", "_scope_", "_delete_")
# mmengine's own keys of a data loader; the rest goes to torch's DataLoader.
_LOADER = (
    "dataset",
    "sampler",
    "batch_sampler",
    "collate_fn",
    "worker_init_fn",
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
_ONCE = ("degradation", "backbone", "scale", "same_size")
_FIRST = ("degradation", "backbone", "model")
_WEIGHTS_DO = ("degradation", "backbone", "parts", "part", "otherwise", "again")
_MUST_HAVE_TYPE = ("model", "dataset", "transforms", "metrics", *_WEIGHTS_DO)
# A name alone does not do there.
_MUST_BE_DICT = (
    *("dataset", "datasets", "transforms", "metrics"),
    *("loss", "losses", "optimizer", "sampler", "collate_fn", "pipeline", "discriminator"),
)


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
    """Refuse unknown top-level keys; needs no torch.

    Args:
        cfg: The merged config.

    Raises:
        ConfigError: Naming the key and the nearest known one.
    """
    for key in cfg:
        if key not in TOP_LEVEL:
            raise ConfigError(
                f"unknown top-level key '{key}' in the config.{nearest(key, list(TOP_LEVEL))}"
                " A helper variable of a config file is named with two leading underscores."
            )
    check_shape(cfg)
    model = cfg.get("model")
    for key in _ONCE:
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
            _walk(value, key, METRICS)  # mmengine wraps bare metrics in an Evaluator
        else:
            _walk(value, key, TOP_LEVEL[key])
    _check_constructor(cfg.get("optim_wrapper"))


def _check_constructor(wrapper: Any) -> None:
    if isinstance(wrapper, Mapping) and not {"optimizer", "constructor", "type"} & set(wrapper):
        found = ", ".join(map(str, wrapper)) or "nothing"
        raise ConfigError(
            f"'optim_wrapper' has no optimizer: it holds {found}."
            " Add optimizer=dict(type='Adam', lr=1e-4), or a constructor."
        )
    name = wrapper.get("constructor") if isinstance(wrapper, Mapping) else None
    if name is not None:
        from realdeg.registry import HOOKS

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
    known = (*_LOADER, *arguments_of(DataLoader).names)
    for key, value in loader.items():
        if key not in known:
            raise ConfigError(f"unknown key '{place}.{key}'.{nearest(key, known)}")
        wrong = None if key in _LOADER else arguments_of(DataLoader).mismatch(key, value)
        if wrong:
            raise ConfigError(f"'{place}.{key}' {wrong}.")
        _walk(value, f"{place}.{key}", registry_at(key, None))
    if loader.get("dataset") is None:
        raise ConfigError(f"'{place}' has no dataset.")


def _walk(value: Any, place: str, registry: Any, item: bool = False) -> None:
    if isinstance(value, list | tuple) and not (item and _is_slot(place)):
        for index, inner in enumerate(value):
            _walk(inner, f"{place}.{index}", registry, item=True)
        return
    if not isinstance(value, Mapping):
        # Metrics may be named in a list of names, weights by their path; built objects pass.
        named = isinstance(value, str) and _name(place) in ("metrics", *_WEIGHTS_DO)
        builtin = value is not None and type(value).__module__ == "builtins"
        if builtin and _is_slot(place) and not named:
            raise ConfigError(f"'{place}' is {value!r:.200}, wanted a dict with a type.")
        return
    if "type" in value and registry is not None:
        component = look_up(registry, value["type"], place)
        if registry is VISBACKENDS:
            _check_backend(value["type"], place)
        _check_arguments(value, component, place, registry)
    elif "checkpoint" in value and registry in (BACKBONES, DEGRADATIONS):
        _check_alone(value, place)
    else:
        _check_type_present(value, place)
    for key, item in value.items():
        wrong = key_fault(key, item)
        if wrong:
            raise ConfigError(f"'{place}.{key}' {wrong}.")
        if key == "start_from":
            _check_start(item, f"{place}.{key}")
        else:
            _walk(item, f"{place}.{key}", registry_at(key, registry))


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


def _name(place: str) -> str:
    """Return the last key of a place that is no number in a list."""
    return next(part for part in reversed(place.split(".")) if not part.isdigit())


def _is_slot(place: str) -> bool:
    """Say whether a component has to stand there, as a dict."""
    return _name(place) in (*_MUST_BE_DICT, *_WEIGHTS_DO) or _is_hook(place)


def _is_hook(place: str) -> bool:
    return place.split(".")[0].endswith("_hooks") and place.count(".") == 1


def _check_type_present(value: Mapping[str, Any], place: str) -> None:
    name = _name(place)
    if name in _MUST_HAVE_TYPE or _is_hook(place) or is_typed(place):
        or_file = " or checkpoint" if name in _WEIGHTS_DO else ""
        found = ", ".join(sorted(map(str, value))) or "nothing"
        raise ConfigError(f"'{place}' has no type{or_file}: it holds {found}.")


def _check_arguments(value: Mapping[str, Any], component: Any, place: str, registry: Any) -> None:
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
