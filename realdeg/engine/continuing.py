"""Going on with settings that were changed: what the config says now wins where it was changed.

A checkpoint holds, beside the state of optimisers and schedulers, the settings that they were
built with (its ``setup``). Where the config still says the same, the state comes back as it was.
Where it says something else, the rate (or whatever else is scheduled) becomes the one that an
unbroken run with the new settings would have at this iteration: schedulers are functions of the
iteration, so they are built anew and stepped up to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from realdeg.engine.checkpoint import to_plain
from realdeg.errors import CheckpointError

if TYPE_CHECKING:
    from mmengine.runner import Runner

# What a scheduler's state holds of its progress; the rest are its settings.
_PROGRESS = (
    *("last_step", "_global_step", "_last_value", "base_values", "verbose", "optimizer"),
    *("best", "cooldown_counter", "num_bad_epochs", "min_values"),
)
_MEASURING = "Reduce"
"""Schedulers whose name begins so depend on what was measured, not on the iteration alone."""
_WAY_OUT = (
    "Resume with the former settings, or begin anew from its weights: load_from={where} without"
    " --resume"
)


def describe_setup(runner: Runner) -> dict[str, Any]:
    """Return the settings that a run's optimisers and schedulers were built with.

    Args:
        runner: The runner, its optimisers and schedulers just built.

    Returns:
        Plain data: ``max_iters``; for each optimiser its type and the settings of each parameter
        group; for each scheduler its type and settings.
    """
    return to_plain(
        {
            "max_iters": runner.train_loop.max_iters,
            "optimizer": {
                name: {
                    "type": type(wrapper.optimizer).__name__,
                    "wrapper": type(wrapper).__name__,
                    "groups": [_settings(group) for group in wrapper.optimizer.param_groups],
                }
                for name, wrapper in named_wrappers(runner.optim_wrapper)
            },
            "param_schedulers": {
                name: [
                    {"type": type(item).__name__, **_scheduler_settings(item.state_dict())}
                    for item in items
                ]
                for name, items in named_schedulers(runner.param_schedulers)
            },
        }
    )


def named_wrappers(wrapper: Any) -> Iterator[tuple[str, OptimWrapper]]:
    """Iterate the optimiser wrappers of a run by name; a single one has the name ``""``."""
    if isinstance(wrapper, OptimWrapperDict):
        yield from wrapper.items()
    else:
        yield "", wrapper


def named_schedulers(schedulers: Any) -> Iterator[tuple[str, list[Any]]]:
    """Iterate lists of schedulers, or of their states, by the name of the optimiser."""
    if isinstance(schedulers, Mapping):
        yield from ((str(name), list(items)) for name, items in schedulers.items())
    elif schedulers:
        yield "", list(schedulers)


def continue_optimisers(runner: Runner, state: Mapping[str, Any], where: str) -> list[str]:
    """Give optimisers and schedulers their state back, and the changed settings their due.

    Args:
        runner: The runner, its optimisers and schedulers just built.
        state: A checkpoint.
        where: Its file, for messages.

    Returns:
        One line for each setting that was changed.

    Raises:
        CheckpointError: If the state is of an optimiser of another type, or of other parameters;
            if it belongs to a scheduler that depends on measures; if it is damaged.
    """
    own = describe_setup(runner)
    try:
        former = _former_setup(state, own)
        changes = _changes(former, own, where)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _damaged("the setup of the optimisers", where) from error
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
        change.carry_out(runner)
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        fault = _odd_state(wrapper.optimizer, fresh[name])
        if fault:
            raise _unfit(name, where, fault)
    return [str(change) for change in changes]


class _Change:
    """A setting that differs from what the checkpoint's run was built with."""

    def __init__(
        self,
        place: str,
        old: Any,
        new: Any,
        rate: bool = True,
        group: tuple[str, int, str] | None = None,
    ) -> None:
        self.place, self.old, self.new = place, old, new
        # Whether the course of the rate, or of whatever is scheduled, is another one.
        self.rate = rate
        self._group = group

    def __str__(self) -> str:
        return f"{self.place}: {_short(self.new)}, was {_short(self.old)}"

    def carry_out(self, runner: Runner) -> None:
        """Put a changed setting of the optimiser in place of the one that was loaded."""
        if self._group is None or self.rate:
            return
        name, number, key = self._group
        wrapper = dict(named_wrappers(runner.optim_wrapper))[name]
        wrapper.optimizer.param_groups[number][key] = self.new


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    # Schedulers keep what a setting was before they touched it beside it.
    return {
        key: group.get(f"initial_{key}", value)
        for key, value in group.items()
        if key not in ("params", "param_names") and not key.startswith("initial_")
    }


def _scheduler_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in values.items() if key not in _PROGRESS and _is_setting(value)
    }


def _is_setting(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | Mapping | list | tuple)


def _former_setup(state: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's setup; of one that has none, what its state lets guess."""
    setup = state.get("setup")
    if isinstance(setup, Mapping):
        return dict(setup)
    names = list(own["optimizer"])
    states = state["optimizer"] if names != [""] else {"": state["optimizer"]}
    optimisers = {
        name: {"groups": [_settings(group) for group in part.get("param_groups", [])]}
        for name, part in states.items()
        if isinstance(part, Mapping)
    }
    schedulers = {
        name: [_scheduler_settings(item) for item in items]
        for name, items in named_schedulers(state.get("param_schedulers"))
    }
    return {"optimizer": optimisers, "param_schedulers": schedulers}


def _changes(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> list[_Change]:
    found: list[_Change] = []
    if "max_iters" in former and former["max_iters"] != own["max_iters"]:
        place = "train_cfg.max_iters"
        found.append(_Change(place, former["max_iters"], own["max_iters"], rate=False))
    _refuse_other_optimisers(former["optimizer"], own["optimizer"], where)
    scheduled = {"lr"} | {
        str(item.get("param_name")) for items in own["param_schedulers"].values() for item in items
    }
    if "momentum" in scheduled:
        scheduled.add("betas")  # where mmengine finds the momentum of Adam
    for name, mine in own["optimizer"].items():
        theirs = former["optimizer"][name]["groups"]
        place = f"optim_wrapper.{name}.optimizer" if name else "optim_wrapper.optimizer"
        for number, (old, new) in enumerate(zip(theirs, mine["groups"], strict=True)):
            of = f" (group {number})" if len(theirs) > 1 else ""
            found += [
                _Change(
                    f"{place}.{key}{of}", old[key], new[key], key in scheduled, (name, number, key)
                )
                for key in new
                if key in old and _plain(old[key]) != _plain(new[key])
            ]
    found += _scheduler_changes(former["param_schedulers"], own["param_schedulers"])
    return found


def _scheduler_changes(
    former: Mapping[str, list[dict[str, Any]]], own: Mapping[str, list[dict[str, Any]]]
) -> list[_Change]:
    found = []
    for name in dict.fromkeys([*former, *own]):
        theirs, mine = former.get(name, []), own.get(name, [])
        place = f"param_scheduler.{name}" if name else "param_scheduler"
        types = [[item.get("type") for item in items] for items in (theirs, mine)]
        if len(theirs) != len(mine) or (None not in types[0] and types[0] != types[1]):
            old, new = (", ".join(map(str, names)) or "none" for names in types)
            found.append(_Change(place, old, new))
            continue
        for number, (their, my) in enumerate(zip(theirs, mine, strict=True)):
            of = f"[{number}]" if len(mine) > 1 else ""
            found += [
                _Change(f"{place}{of}.{key}", their.get(key), my.get(key))
                for key in dict.fromkeys([*their, *my])
                if key != "type" and _plain(their.get(key)) != _plain(my.get(key))
            ]
    return found


def _refuse_other_optimisers(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    if set(former) != set(own):
        one = "one that has no name"
        names = [", ".join(sorted(filter(None, setup))) or one for setup in (former, own)]
        raise _unfit("", where, f"it is of {names[0]}, the config has {names[1]}")
    for name, mine in own.items():
        theirs = former[name]
        for key in ("type", "wrapper"):
            if theirs.get(key, mine[key]) != mine[key]:
                fault = f"it is of {theirs[key]}, the config says {mine[key]}"
                raise _unfit(name, where, fault)
        if len(theirs["groups"]) != len(mine["groups"]):
            raise _unfit(
                name,
                where,
                f"it has {len(theirs['groups'])} groups of parameters, the config makes"
                f" {len(mine['groups'])} (paramwise_cfg)",
            )


def _refuse_measuring(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    for setup in (former, own):
        for items in setup["param_schedulers"].values():
            for item in items:
                if str(item.get("type", "")).startswith(_MEASURING):
                    raise CheckpointError(
                        f"the schedule was changed and has a {item['type']}, which depends on what"
                        f" was measured and not on the iteration, so {where} cannot go on with it."
                        f" {_WAY_OUT.format(where=where)}."
                    )


def _step_up(runner: Runner, iteration: int) -> None:
    """Bring new schedulers to where an unbroken run would have them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mmengine misses the optimiser's steps
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
    """Put what the new schedules say at this iteration in place of what was loaded."""
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        for group, new in zip(wrapper.optimizer.param_groups, fresh[name], strict=True):
            for key in [key for key in group if key.startswith("initial_")]:
                key = key.removeprefix("initial_")
                del group[f"initial_{key}"]
                group[key] = new[key]  # scheduled before, and perhaps no longer
            for key in ["lr", *(key for key in new if key.startswith("initial_"))]:
                for part in (key, key.removeprefix("initial_")):
                    group[part] = new[part]
            if "initial_momentum" in new and "betas" in new:
                group["betas"] = new["betas"]


def _load_optimisers(runner: Runner, state: Mapping[str, Any], where: str) -> None:
    parts = state["optimizer"]
    for name, wrapper in named_wrappers(runner.optim_wrapper):
        try:
            wrapper.load_state_dict(dict(parts[name] if name else parts))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise _unfit(name, where, f"{error!s:.200}".rstrip(".")) from error


def _unfit(name: str, where: str, fault: str) -> CheckpointError:
    of = f" for {name}" if name else ""
    return CheckpointError(
        f"the optimiser state{of} in {where} does not fit the config's optimiser: {fault}."
        f" {_WAY_OUT.format(where=where)}."
    )


def _damaged(what: str, where: str) -> CheckpointError:
    return CheckpointError(f"{what} in {where} is damaged: take another checkpoint.")


def _odd_state(optimiser: torch.optim.Optimizer, fresh: list[dict[str, Any]]) -> str:
    """Say what an optimiser's step would stumble over, or silently take for its own."""
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
                    return f"'{key}' is of another kind or size than its parameter"
    return ""


def _state_of_a_step(optimiser: torch.optim.Optimizer) -> dict[str, bool | None] | None:
    """Return the keys of a parameter's state: True as large as it, False no, None no tensor."""
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
    except Exception:  # an optimiser of a stranger's, or one that needs more: no opinion
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


def _load_schedulers(runner: Runner, saved: Any, where: str) -> None:
    states = dict(named_schedulers(saved))
    for name, items in named_schedulers(runner.param_schedulers):
        for item, values in zip(items, states.get(name, []), strict=True):
            if not isinstance(values, Mapping) or not {"last_step", "_global_step"} <= set(values):
                raise _damaged("the state of the schedulers", where)
            item.load_state_dict(dict(values))


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    if isinstance(value, Mapping):  # MultiStepLR counts its milestones
        value = list(value)
    return f"{value}"[:120]
