"""Resume with changed settings: the config wins where it was changed.

Beside the state of optimisers and schedulers, a checkpoint holds the settings they were built with
(its ``setup``). Unchanged settings get their state back. After a change, the learning rate (or
whatever else is scheduled) is the one that an uninterrupted run with the new settings would have at
this iteration. Schedulers are functions of the iteration, so they are rebuilt and stepped up to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from realdeg.engine.setup import (
    changes_of,
    damaged,
    describe_setup,
    does_not_fit,
    former_setup,
    named_schedulers,
    named_wrappers,
    without_resuming,
)
from realdeg.errors import CheckpointError

if TYPE_CHECKING:
    from mmengine.runner import Runner

_MEASURING = "Reduce"
"""Schedulers whose name starts like this depend on a metric, not on the iteration alone."""


def continue_optimisers(runner: Runner, state: Mapping[str, Any], where: str) -> list[str]:
    """Restore the state of optimisers and schedulers, and apply changed settings.

    Args:
        runner: The runner; its optimisers and schedulers were just built.
        state: A checkpoint.
        where: Its file, for messages.

    Returns:
        One line for each changed setting.

    Raises:
        CheckpointError: If the state belongs to another type of optimiser, to other parameters or
            to a scheduler that depends on a metric, or if it is damaged.
    """
    own = describe_setup(runner)
    try:
        former = former_setup(state, own)
        changes = changes_of(former, own, where)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise damaged("the setup of the optimisers", where) from error
    rates = any(change.rate for change in changes)
    if rates:
        _refuse_measuring(former, own, where)
        _step_up(runner, int(state["meta"]["iter"]))
    fresh = _groups(runner)
    _load_optimisers(runner, state, where)
    if rates:
        _take_rates(runner, fresh)
    else:
        _load_schedulers(runner, state.get("param_schedulers"), where)
    for change in changes:
        change.apply(runner)
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        wrong = _state_mismatch(wrapper.optimizer, fresh[name])
        if wrong:
            raise does_not_fit(name, where, wrong)
    return [str(change) for change in changes if change.is_reported]


def _refuse_measuring(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    for setup in (former, own):
        for items in setup["param_schedulers"].values():
            for item in items:
                if str(item.get("type", "")).startswith(_MEASURING):
                    raise CheckpointError(
                        f"the schedule was changed and has a {item['type']}, which depends on a"
                        f" metric and not on the iteration, so {where} cannot be resumed with it."
                        f" {without_resuming(where)}"
                    )


def _step_up(runner: Runner, iteration: int) -> None:
    """Step new schedulers up to an iteration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from mmengine: the optimiser has not stepped
        for _, items in named_schedulers(runner.param_schedulers):
            counting = [item for item in items if not item.by_epoch]
            for _ in range(iteration):
                for item in counting:
                    item.step()


def _groups(runner: Runner) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {key: value for key, value in group.items() if key != "params"}
            for group in wrapper.optimizer.param_groups
        ]
        for name, wrapper in named_wrappers(runner.optim_wrapper)
    }


def _take_rates(runner: Runner, fresh: Mapping[str, list[dict[str, Any]]]) -> None:
    """Replace the loaded rates by those of the new schedules at this iteration."""
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        for group, new in zip(wrapper.optimizer.param_groups, fresh[name], strict=True):
            for key in [key for key in group if key.startswith("initial_")]:
                key = key.removeprefix("initial_")
                del group[f"initial_{key}"]
                group[key] = new[key]  # scheduled before, perhaps not any more
            for key in ["lr", *(key for key in new if key.startswith("initial_"))]:
                for part in (key, key.removeprefix("initial_")):
                    group[part] = new[part]
            if "initial_momentum" in new and "betas" in new:
                group["betas"] = new["betas"]
            for key in (set(group) ^ set(new)) - {"params"}:  # OneCycle stores some here
                if key in new:
                    group[key] = new[key]
                else:
                    group.pop(key)


def _load_optimisers(runner: Runner, state: Mapping[str, Any], where: str) -> None:
    parts = state["optimizer"]
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        try:
            wrapper.load_state_dict(dict(parts[name] if name else parts))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise does_not_fit(name, where, f"{error!s:.200}".rstrip(".")) from error


def _load_schedulers(runner: Runner, saved: Any, where: str) -> None:
    failure = damaged("the state of the schedulers", where)
    try:
        states = dict(named_schedulers(saved))
    except TypeError as error:
        raise failure from error
    for name, items in named_schedulers(runner.param_schedulers):
        values = states.get(name, [])
        if len(values) != len(items) or not all(map(_is_progress, values)):
            raise failure
        for item, progress in zip(items, values, strict=True):
            item.load_state_dict(dict(progress))


def _is_progress(values: Any) -> bool:
    return isinstance(values, Mapping) and all(
        isinstance(values.get(key), int) for key in ("last_step", "_global_step")
    )


def _state_mismatch(optimiser: torch.optim.Optimizer, fresh: list[dict[str, Any]]) -> str:
    """Find what would make an optimiser's step fail, or silently be wrong.

    Args:
        optimiser: The optimiser, its state loaded.
        fresh: Its parameter groups as they were built, without the parameters.

    Returns:
        What is wrong, or an empty string.
    """
    for group, new in zip(optimiser.param_groups, fresh, strict=True):
        for key, value in new.items():
            if _kind(group.get(key)) != _kind(value):
                return f"its '{key}' is {group.get(key)!r:.40}, wanted something like {value!r}"
    wanted = _state_of_a_step(optimiser)
    if wanted is None:
        return ""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            found = optimiser.state.get(parameter)
            if not found:
                continue  # never stepped
            if set(found) != set(wanted):
                return f"it holds {', '.join(map(str, found))}, wanted {', '.join(wanted)}"
            for key, alike in wanted.items():
                value = found[key]
                if isinstance(value, Tensor) != (alike is not None) or (
                    alike and value.shape != parameter.shape
                ):
                    return f"'{key}' has another type or size than its parameter"
    return ""


def _state_of_a_step(optimiser: torch.optim.Optimizer) -> dict[str, bool | None] | None:
    """Return a parameter's state by key: whether its shape is the parameter's, or None."""
    parameter = nn.Parameter(torch.zeros(3, 2))
    parameter.grad = torch.zeros(3, 2)
    own = {key: value for key, value in optimiser.param_groups[0].items() if key != "params"}
    own = {
        key: value for key, value in own.items() if key not in ("fused", "capturable", "foreach")
    }
    if isinstance(own.get("lr"), Tensor):
        own["lr"] = own["lr"].detach().cpu()
    build: Any = type(optimiser)
    try:
        trial = build([{"params": [parameter], **own}], lr=1e-3)
        trial.step()
    except Exception:  # a third-party optimiser, or one that needs more: nothing to compare with
        return None
    return {
        str(key): (value.shape == parameter.shape) if isinstance(value, Tensor) else None
        for key, value in trial.state[parameter].items()
    } or None


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "flag"
    if isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1):
        return "number"
    return "list" if isinstance(value, list | tuple) else type(value).__name__
