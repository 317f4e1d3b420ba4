"""Refuse optimisers, schedules of the rate, hooks and a compilation that cannot be."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS

from realdeg.config.shape import look_up
from realdeg.errors import ConfigError, first_line, nearest
from realdeg.registry import HOOKS, TASKS
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.arguments import arguments_of

# What mmengine's DefaultOptimWrapperConstructor reads; others are ignored in silence.
_PARAMWISE = (
    *("custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult"),
    *("flat_decay_mult", "dcn_offset_lr_mult", "bypass_duplicate"),
)
_OF_KEYS = ("lr_mult", "decay_mult")
_OTHERS = ("constructor", "paramwise_cfg", "_scope_")
_SEVERAL = ("MultiOptimizerConstructor", "SeveralOptimisers")
# Faults of arguments; other errors tell of what an optimiser needs beside them.
_FAULTS = (ValueError, TypeError, AssertionError, KeyError)


def check_steps(cfg: Mapping[str, Any]) -> None:
    """Refuse what would only be refused, or be ignored, when the run starts.

    Args:
        cfg: The config; its components and their arguments are known to exist.

    Raises:
        ConfigError: Naming the place, what is wrong and what would fit.
    """
    from mmengine.model import BaseModel  # imports torch, which fill.py need not

    wrapper = cfg.get("optim_wrapper")
    if not isinstance(wrapper, Mapping):
        return
    name = str(wrapper.get("constructor", "")).rpartition(".")[2]
    several = name in _SEVERAL
    if name and not several and name != "DefaultOptimWrapperConstructor":
        return  # somebody's own
    task = _task(cfg)
    if several and task is not None and getattr(task, "train_step", None) is BaseModel.train_step:
        raise ConfigError(
            f"'optim_wrapper' has several optimisers, and {task.__name__} is trained by one:"
            " optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-4)), without a constructor."
        )
    for place, one in _wrappers(wrapper, several):
        _check_wrapper(place, one, several)
    _check_schedulers(cfg, several)


def check_hooks(cfg: Mapping[str, Any]) -> None:
    """Refuse two hooks of a type that a run has once.

    Args:
        cfg: The config.

    Raises:
        ConfigError: With the places of both.
    """
    found: dict[Any, int] = {}
    for number, hook in enumerate(cfg.get("custom_hooks") or ()):
        kind = HOOKS.get(hook["type"]) if isinstance(hook, Mapping) and "type" in hook else None
        if not getattr(kind, "works_once", False):
            continue
        if kind in found:
            raise ConfigError(
                f"'custom_hooks.{found[kind]}' and 'custom_hooks.{number}' are both {hook['type']},"
                " of which a run has one: remove one of them."
            )
        found[kind] = number


def check_compilation(options: Any) -> None:
    """Refuse options that torch.compile does not have.

    Args:
        options: The config's ``compile_model``.

    Raises:
        ConfigError: Naming the option, and those that there are.
    """
    import torch

    if not isinstance(options, Mapping):
        return
    known = arguments_of(torch.compile)
    names = tuple(name for name in known.names if name != "model")
    for key in options:
        if key not in names:
            raise ConfigError(
                f"unknown key 'compile_model.{key}'.{nearest(str(key), names)} torch.compile takes:"
                f" {', '.join(names)}."
            )
    modes = torch._inductor.list_mode_options() if "mode" in options else {}
    if options.get("mode") is not None and options["mode"] not in modes:
        raise ConfigError(
            f"'compile_model.mode' is {options['mode']!r:.80}, wanted one of {', '.join(modes)}."
        )
    known.check(options, "torch.compile", "compile_model")


def _task(cfg: Mapping[str, Any]) -> Any:
    model = cfg.get("model")
    return look_up(TASKS, model["type"], "model") if isinstance(model, Mapping) else None


def _wrappers(wrapper: Mapping[str, Any], several: bool) -> Iterator[tuple[str, Any]]:
    if not several:
        yield "optim_wrapper", wrapper
        return
    for name, one in wrapper.items():
        if name not in _OTHERS:
            yield f"optim_wrapper.{name}", one


def _check_wrapper(place: str, wrapper: Any, several: bool) -> None:
    if several and (not isinstance(wrapper, Mapping) or "optimizer" not in wrapper):
        found = "has no optimizer" if isinstance(wrapper, Mapping) else f"is {wrapper!r:.80}"
        raise ConfigError(
            f"'{place}' {found}, wanted dict(type='OptimWrapper', optimizer=dict(type='Adam',"
            " lr=1e-4))."
        )
    if several and wrapper.get("accumulative_counts", 1) != 1:
        raise ConfigError(
            f"'{place}.accumulative_counts': gradients are not accumulated where several"
            " optimisers take turns, because each is to see what the other's step has changed;"
            " take a smaller batch_size or patch_size."
        )
    paramwise = wrapper.get("paramwise_cfg")
    if isinstance(paramwise, Mapping):
        _check_paramwise(f"{place}.paramwise_cfg", paramwise)
    settings = wrapper.get("optimizer")
    if isinstance(settings, Mapping):
        _built(OPTIMIZERS, {**settings, "params": _parameters()}, f"{place}.optimizer")


def _check_paramwise(place: str, settings: Mapping[str, Any]) -> None:
    """Refuse keys that mmengine ignores, and rates below 0."""
    for key, value in settings.items():
        if key not in _PARAMWISE:
            raise ConfigError(
                f"unknown key '{place}.{key}'.{nearest(str(key), _PARAMWISE)} It takes:"
                f" {', '.join(_PARAMWISE)}."
            )
        for name, rates in value.items() if key == "custom_keys" else ():
            for rate, factor in rates.items():
                if rate not in _OF_KEYS:
                    raise ConfigError(
                        f"unknown key '{place}.custom_keys.{name}.{rate}'."
                        f"{nearest(str(rate), _OF_KEYS)} It takes: {', '.join(_OF_KEYS)}."
                    )
                wrong = mismatch(factor, NonNegative)
                if wrong:
                    raise ConfigError(f"'{place}.custom_keys.{name}.{rate}' {wrong}.")


def _check_schedulers(cfg: Mapping[str, Any], several: bool) -> None:
    schedules = cfg.get("param_scheduler")
    if isinstance(schedules, Mapping) and "type" not in schedules and not several and schedules:
        raise ConfigError(
            f"'param_scheduler' names the optimisers {', '.join(map(str, schedules))}, and there is"
            " one without a name: param_scheduler=[dict(type='MultiStepLR', ...)]."
        )
    optimiser = OPTIMIZERS.build(dict(type="SGD", lr=0.1, params=_parameters()))
    last = (cfg.get("train_cfg") or {}).get("max_iters")
    for place, schedule in schedules_in(schedules):
        settings = {"by_epoch": False, **schedule, "optimizer": optimiser}
        if str(schedule["type"]).startswith("Reduce"):
            settings.pop("by_epoch")
        elif last:
            end_with_run(settings, last)
        settings.pop("convert_to_iter_based", None)
        _built(PARAM_SCHEDULERS, settings, place)


def schedules_in(value: Any, place: str = "param_scheduler") -> Iterator[tuple[str, Any]]:
    """Yield the schedules in ``param_scheduler`` with their places.

    Args:
        value: One, a list, or either by optimiser.
        place: Its place in the config.
    """
    if isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from schedules_in(item, f"{place}.{number}")
    elif isinstance(value, Mapping) and "type" in value:
        yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from schedules_in(item, f"{place}.{name}")


def end_with_run(schedule: Any, last: int) -> None:
    """Fill in where a schedule ends, in place: with the run.

    One that would begin later stays without effect, as in a run that is shorter than its recipe's.

    Args:
        schedule: The schedule's config.
        last: The iterations of the run.
    """
    if schedule.get("by_epoch"):
        return
    begin = schedule.get("begin", 0)
    late = isinstance(begin, int) and begin >= last
    if late:
        schedule.setdefault("end", begin + 1)
    if str(schedule.get("type", "")).startswith("CosineAnnealing"):
        schedule.setdefault("T_max", 1 if late else last - begin)


def _parameters() -> Sequence[Any]:
    import torch

    return [torch.nn.Parameter(torch.zeros(1, 1))]  # a matrix, as Muon needs


def _built(registry: Any, settings: Mapping[str, Any], place: str) -> None:
    """Build from settings, which costs little, and say what torch or mmengine refuses.

    Raises:
        ConfigError: With their reason.
    """
    kind = registry.get(settings["type"]) if isinstance(settings["type"], str) else settings["type"]
    if not inspect.isclass(kind) or kind.__module__.split(".")[0] not in ("torch", "mmengine"):
        return
    try:
        kind(**{key: value for key, value in settings.items() if key not in ("type", "_scope_")})
    except _FAULTS as error:
        reason = first_line(error).rstrip(".")
        if isinstance(error, AssertionError) and reason == "AssertionError":
            reason = "its arguments contradict each other"
        raise ConfigError(f"'{place}' ({kind.__name__}) cannot be built: {reason}.") from error
    except Exception:  # what it needs beside its arguments is not there yet
        return
