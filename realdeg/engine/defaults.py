"""The defaults of a run, which replace mmengine's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.visualization import Visualizer

from realdeg.engine.optimisers import SUFFIX, NoOptimWrapper
from realdeg.engine.plain_config import PlainConfig
from realdeg.engine.visualizer import LazyVisualizer
from realdeg.errors import ConfigError
from realdeg.registry import SCOPE
from realdeg.utils.trackers import trackers

# The order matters: hooks of equal priority are called as listed.
_DEFAULT_HOOKS = {
    "runtime_info": "RunInfoHook",
    "timer": "IterTimerHook",
    "data_list": "DataListHook",
    "finite": "FiniteLossHook",
    "param_scheduler": "ParamSchedulerHook",
    "alignment": "AlignmentHook",
    "baseline": "BaselineHook",
    "standstill": "StandstillHook",
    "logger": "ProgressHook",
    "outputs": "OutputsHook",
    "checkpoint": "SaveCheckpointHook",
}

_TRACKERS = {
    "tensorboard": "TensorboardVisBackend",
    "wandb": "WandbRunVisBackend",
    "mlflow": "MLflowRunVisBackend",
    "trackio": "TrackioVisBackend",
}

_PRECISIONS = {"float32": "OptimWrapper", "bfloat16": "AutocastOptimWrapper"}

# mmengine's own default hooks, which are left out.
_THEIR_HOOKS = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")


def with_defaults(options: Mapping[str, Any], cfg: PlainConfig) -> dict[str, Any]:
    """Return the arguments of mmengine's runner, completed by realdeg's defaults.

    Args:
        options: The arguments that were given, by name.
        cfg: The run's whole config.

    Raises:
        ConfigError: If the optimiser wrapper has no optimiser, or a precision of its own beside
            ``precision``.
    """
    done = dict(options)
    # Runner.from_cfg sets mmengine's scope where the config has none.
    scope = done.get("default_scope")
    done["default_scope"] = SCOPE if scope in (None, "mmengine") else str(scope)
    done["randomness"] = dict(done.get("randomness") or {})
    if done["randomness"].get("seed") is None:
        done["randomness"]["seed"] = cfg.get("seed")
    hooks = _hooks_of(done.get("default_hooks") or {})
    freeze = freezing(cfg)
    if freeze is not None:
        hooks.insert(0, {"type": "FreezeHook", **freeze})
    done["default_hooks"] = dict.fromkeys(_THEIR_HOOKS)
    done["custom_hooks"] = [*hooks, *(done.get("custom_hooks") or [])]
    done["visualizer"] = _visualizer(done.get("visualizer"), cfg)
    done["param_scheduler"] = _counting_iterations(done.get("param_scheduler"))
    optimiser = done.get("optim_wrapper")
    if _type_of(done.get("train_cfg")) == "ClosedFormLoop":
        # mmengine requires an optimiser for training.
        done["optim_wrapper"], done["param_scheduler"] = NoOptimWrapper(), None
        return done
    if isinstance(optimiser, Mapping) and "type" in optimiser:
        if "optimizer" not in optimiser and "constructor" not in optimiser:
            raise ConfigError(
                f"optim_wrapper of type {optimiser['type']} has no optimizer: add"
                " optimizer=dict(type='Adam', lr=1e-4). A changed type drops the former keys."
            )
    done["optim_wrapper"] = _in_precision(optimiser, cfg.get("precision"))
    return done


def freezing(cfg: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of FreezeHook that the top-level ``freeze`` means, if any."""
    freeze = cfg.get("freeze")
    if not freeze:
        return None
    return dict(freeze) if isinstance(freeze, Mapping) else {"patterns": list(freeze)}


def _in_precision(wrapper: Any, precision: str | None, place: str = "optim_wrapper") -> Any:
    """Return the configs of optimiser wrappers with the type that a precision means.

    Raises:
        ConfigError: If a wrapper has a precision of its own.
    """
    if precision is None or not isinstance(wrapper, Mapping):
        return wrapper
    if "optimizer" not in wrapper and "type" not in wrapper:  # several, by name
        return {
            key: _in_precision(value, precision, f"{place}.{key}")
            if key.endswith(SUFFIX)
            else value
            for key, value in wrapper.items()
        }
    kind = _type_of(wrapper) or "OptimWrapper"
    if kind not in _PRECISIONS.values():
        raise ConfigError(
            f"'precision' is '{precision}', and '{place}' is a {kind}, which has a precision of its"
            " own: remove one of them."
        )
    return {**copy.deepcopy(dict(wrapper)), "type": _PRECISIONS[precision]}


def _hooks_of(changes: Mapping[str, Any]) -> list[Any]:
    """Return realdeg's default hooks with the config's changes; None removes one."""
    hooks: dict[str, Any] = {name: {"type": kind} for name, kind in _DEFAULT_HOOKS.items()}
    hooks.update(copy.deepcopy(dict(changes)))
    return [hook for hook in hooks.values() if hook is not None]


def _visualizer(visualizer: Any, cfg: PlainConfig) -> Any:
    """Return the visualizer's config; without ``vis_backends`` it writes ``scalars.json``.

    What ``log_to`` names comes in addition.

    Raises:
        ConfigError: If ``log_to`` stands beside a visualizer with backends of its own.
    """
    options = visualizer if isinstance(visualizer, Visualizer) else dict(visualizer or {})
    more = [_TRACKERS[name] for name in trackers(cfg.get("log_to"))]
    own = not isinstance(options, dict) or options.get("type", "Visualizer") != "Visualizer"
    if more and (own or "vis_backends" in options):
        raise ConfigError(
            "the visualizer has backends of its own: add the tracker to them, or leave out log_to."
        )
    if own:
        return options
    if more:
        import realdeg.engine.tracking  # noqa: F401  (registers the backends)
    backends = copy.deepcopy(cfg.get("vis_backends") or [dict(type="LocalVisBackend")])
    there = [backend.get("type") for backend in backends]
    backends += [{"type": kind} for kind in more if kind not in there]
    options.pop("name", None)  # the run's
    return {"vis_backends": backends, **options, "type": LazyVisualizer.__name__}


def _counting_iterations(schedule: Any) -> Any:
    """Return schedules that count iterations unless they set ``by_epoch``.

    mmengine counts epochs by default, and an iteration loop has one.
    """
    if isinstance(schedule, list | tuple):
        return [_counting_iterations(item) for item in schedule]
    if not isinstance(schedule, Mapping):
        return schedule
    if "type" not in schedule:  # by optimiser
        return {name: _counting_iterations(item) for name, item in schedule.items()}
    counted = "by_epoch" in schedule or str(schedule["type"]).startswith("Reduce")
    return copy.deepcopy(schedule) if counted else {**copy.deepcopy(schedule), "by_epoch": False}


def _type_of(cfg: Any) -> str:
    return str(cfg.get("type", "")).rpartition(".")[2] if isinstance(cfg, Mapping) else ""
