"""What stands at each place of a config: the shape that the engine expects, said as annotations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from realdeg.errors import ConfigError
from realdeg.utils.annotations import mismatch
from realdeg.utils.data_file import check_size
from realdeg.utils.mmengine_internals import config_dict

_Text = str | os.PathLike
_Dict = Mapping[str, Any]
_Dicts = list[_Dict]

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
    **dict.fromkeys(("resume", "sample"), bool),
    "scale": int | float,
    "same_size": bool,
    "seed": int,
    "compile_model": bool | _Dict,
    "default_scope": Literal["realdeg", "mmengine"],
    "log_level": Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
}

# Inside components the key says what stands there, whatever a signature leaves open.
KEYS: dict[str, Any] = {
    "dataset": _Dict,
    "datasets": list,  # what is wrong with an item is said of the item
    "transforms": list | None,
    "pipeline": _Dicts | None,
    "losses": _Dict | _Dicts | None,
    "discriminator": _Dict | None,
    "sampler": _Dict | None,
    "optimizer": _Dict | None,
}

# Numbers that hang a machine or ask for more than it has, and those that mean nothing.
RANGES: dict[str, tuple[float, float]] = {
    "scale": (1, 64),
    "seed": (0, 2**32 - 1),
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


def check_shape(cfg: Mapping[str, Any]) -> None:
    """Hold a config against the shape that the engine expects; needs no torch.

    Args:
        cfg: The merged config.

    Raises:
        ConfigError: Naming the place, what stands there and what is wanted.
    """
    cfg = config_dict(cfg)  # mmengine's Config is no mapping
    check_size(cfg, "the config")
    for place, _, value in walk(cfg):
        _check_value(place, value)
        wanted = _entry(PLACES, place)
        if wanted is None:
            continue
        top = "." not in place
        wrong = None if top and value is None else mismatch(value, wanted)
        if wrong and (is_typed(place) or _matches(place, "default_hooks.*")):
            wrong = wrong.replace("wanted a dict", "wanted a dict with a type")
        if wrong:
            if is_typed(place):
                wrong = wrong.replace("wanted a dict", "wanted a dict with a type")
            raise ConfigError(f"'{place}' {wrong}.")


def key_fault(key: str, value: Any) -> str | None:
    """Say how a value contradicts what its key says, inside a component.

    Args:
        key: The key.
        value: What stands under it.

    Returns:
        As :func:`realdeg.utils.annotations.mismatch`.
    """
    wanted = KEYS.get(key)
    if wanted is None or (isinstance(value, list | tuple) and mismatch([], wanted) is None):
        return None  # a list's items are looked at one by one
    return mismatch(value, wanted)


def is_typed(place: str) -> bool:
    """Say whether a dict at a place needs a ``type``."""
    return any(_matches(place, pattern) for pattern in TYPED)


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
    bounds = _entry(RANGES, place)
    if bounds and isinstance(value, int | float) and not bounds[0] <= value <= bounds[1]:
        raise ConfigError(f"'{place}' is {value}, wanted {_between(*bounds)}.")


def _between(least: float, most: float) -> str:
    return f"{least} or more" + ("" if most >= 2**40 else f", at most {most}")


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def _entry(table: Mapping[str, Any], place: str) -> Any:
    if place in table:
        return table[place]
    return next((value for pattern, value in table.items() if _matches(place, pattern)), None)


def _matches(place: str, pattern: str) -> bool:
    if "*" not in pattern:
        return place == pattern
    parts, wanted = place.split("."), pattern.split(".")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))
