"""The settings that optimisers and schedulers were built with, and how they have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from realdeg.engine.checkpoint import to_plain
from realdeg.errors import CheckpointError, as_given
from realdeg.utils.mmengine_internals import config_dict

if TYPE_CHECKING:
    from mmengine.runner import Runner

_PRECISIONS = {"OptimWrapper": "float32", "AutocastOptimWrapper": "bfloat16"}

# Where a config says what is trained; beside it stand the optimisers.
_NOT_SET = "not set"
_OBJECTIVE = ("model", "freeze", "patch_size", "custom_hooks")
_WITHOUT = ("model.backbone", "model.scale", "model.same_size", "model.type")

# The keys of a scheduler's state that are progress; the others are settings.
_PROGRESS = (
    *("last_step", "_global_step", "_last_value", "base_values", "verbose", "optimizer"),
    *("best", "cooldown_counter", "num_bad_epochs", "min_values"),
)


def does_not_fit(name: str, where: str, fault: str) -> CheckpointError:
    """Return the error for the saved state of another optimiser.

    Args:
        name: The optimiser's name, empty if there is only one.
        where: The checkpoint.
        fault: What differs.
    """
    of = f" for {name}" if name else ""
    return CheckpointError(
        f"the optimiser state{of} in {where} does not fit the config's optimiser: {fault}."
        f" {without_resuming(where)}"
    )


def without_resuming(where: str) -> str:
    """Return the advice that ends messages about a checkpoint that cannot be resumed."""
    return (
        "Resume with the former settings, or restart from its weights: load_from="
        f"{where} without {as_given(resume=True)}."
    )


def damaged(what: str, where: str) -> CheckpointError:
    """Return the error for a damaged part of a checkpoint."""
    return CheckpointError(f"{what} in {where} is damaged: take another checkpoint.")


def describe_setup(runner: Runner) -> dict[str, Any]:
    """Return the settings that a run's optimisers and schedulers were built with.

    Args:
        runner: The runner; its optimisers and schedulers were just built.

    Returns:
        Plain data: ``max_iters``; ``objective``, the settings of what is trained; for each
        optimiser its type and the settings of each parameter group; for each scheduler its type
        and settings.
    """
    setup: dict[str, Any] = to_plain(
        {
            "max_iters": runner.train_loop.max_iters,
            "objective": describe_objective(config_dict(runner.cfg)),
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
    return setup


def describe_objective(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of what is trained, by their places: losses, turns, schedules, freezing.

    Weights that a part started from are left out, and so is the network, whose weights have to fit.

    Args:
        cfg: The run's config.
    """
    named = {key: cfg[key] for key in _OBJECTIVE if cfg.get(key) is not None}
    found = dict(_settings_in(named, ""))
    return {k: v for k, v in found.items() if v != [] and not k.startswith(_WITHOUT)}


def _settings_in(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items = [(key, item) for key, item in value.items() if key != "start_from"]
    elif isinstance(value, list | tuple) and not all(map(_is_plain, value)):
        items = list(enumerate(value))
    elif isinstance(value, list | tuple):
        yield place, list(value)
        return
    elif _is_plain(value):
        yield place, value
        return
    else:  # an object that was built elsewhere, such as a hook
        return
    for key, item in items:
        yield from _settings_in(item, f"{place}.{key}" if place else str(key))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


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


class Change:
    """A setting that differs from the checkpoint's.

    Args:
        place: Its key in the config.
        old: Its former value.
        new: Its value now.
        rate: Whether the schedule depends on it.
        group: The name of its optimiser, the index of its parameter group, and its key there.
    """

    def __init__(
        self,
        place: str,
        old: Any,
        new: Any,
        rate: bool = True,
        group: tuple[str, int, str] | None = None,
    ) -> None:
        self.place, self.old, self.new = place, old, new
        self.rate = rate
        self._group = group

    @property
    def is_reported(self) -> bool:
        """Whether it gets a log line; the end of a schedule follows from ``max_iters``."""
        return self.place.rpartition(".")[2] not in ("end", "total_iters")

    def __str__(self) -> str:
        return f"{self.place}: {_short(self.new)}, was {_short(self.old)}"

    def apply(self, runner: Runner) -> None:
        """Replace a setting that was loaded into the optimiser by the changed one."""
        if self._group is None or self.rate:
            return
        name, number, key = self._group
        wrapper = dict(named_wrappers(runner.optim_wrapper))[name]
        wrapper.optimizer.param_groups[number][key] = self.new


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    # Schedulers keep the initial value of a setting beside it.
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


def former_setup(state: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's setup, inferred from its state where it has none.

    Args:
        state: The checkpoint.
        own: This run's setup.
    """
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


def changes_of(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> list[Change]:
    """List the differences between two setups.

    Args:
        former: The checkpoint's.
        own: This run's.
        where: The checkpoint's file, for messages.

    Raises:
        CheckpointError: If types or parameter groups of the optimisers differ.
    """
    found: list[Change] = []
    if "max_iters" in former and former["max_iters"] != own["max_iters"]:
        place = "train_cfg.max_iters"
        found.append(Change(place, former["max_iters"], own["max_iters"], rate=False))
    theirs = former.get("objective", own["objective"])  # older checkpoints do not say
    for place in sorted({*theirs, *own["objective"]}):
        old, new = (_plain(one.get(place, _NOT_SET)) for one in (theirs, own["objective"]))
        if old != new:
            found.append(Change(place, old, new, rate=False))
    _refuse_other_optimisers(former["optimizer"], own["optimizer"], where)
    scheduled = {"lr"} | {
        str(item.get("param_name")) for items in own["param_schedulers"].values() for item in items
    }
    if "momentum" in scheduled:
        scheduled.add("betas")  # Adam's momentum
    for name, mine in own["optimizer"].items():
        wrappers = (former["optimizer"][name].get("wrapper"), mine["wrapper"])
        if wrappers[0] != wrappers[1] and set(wrappers) <= set(_PRECISIONS):
            of = f" ({name})" if name else ""
            old, new = (_PRECISIONS[wrapper] for wrapper in wrappers)
            found.append(Change(f"precision{of}", old, new, rate=False))
        theirs = former["optimizer"][name]["groups"]
        place = f"optim_wrapper.{name}.optimizer" if name else "optim_wrapper.optimizer"
        for number, (old, new) in enumerate(zip(theirs, mine["groups"], strict=True)):
            _refuse_foreign_keys(former["optimizer"][name], old, new, name, where)
            of = f" (group {number})" if len(theirs) > 1 else ""
            found += [
                Change(
                    f"{place}.{key}{of}", old[key], new[key], key in scheduled, (name, number, key)
                )
                for key in new
                if key in old and _plain(old[key]) != _plain(new[key])
            ]
    found += _scheduler_changes(former["param_schedulers"], own["param_schedulers"])
    return found


def _refuse_foreign_keys(
    former: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any], name: str, where: str
) -> None:
    # For checkpoints that do not name their optimiser: Adam and RAdam differ only by an option.
    foreign = set(old) - set(new) - {"max_lr", "min_lr"}  # those are OneCycle's
    if "type" not in former and foreign:
        fault = (
            f"it has {', '.join(map(repr, sorted(foreign)))}, which this optimiser does not have"
        )
        raise does_not_fit(name, where, fault)


def _scheduler_changes(
    former: Mapping[str, list[dict[str, Any]]], own: Mapping[str, list[dict[str, Any]]]
) -> list[Change]:
    found = []
    for name in dict.fromkeys([*former, *own]):
        theirs, mine = former.get(name, []), own.get(name, [])
        place = f"param_scheduler.{name}" if name else "param_scheduler"
        types = [[item.get("type") for item in items] for items in (theirs, mine)]
        if len(theirs) != len(mine) or (None not in types[0] and types[0] != types[1]):
            old, new = (", ".join(map(str, names)) or "none" for names in types)
            found.append(Change(place, old, new))
            continue
        for number, (their, my) in enumerate(zip(theirs, mine, strict=True)):
            of = f"[{number}]" if len(mine) > 1 else ""
            found += [
                Change(f"{place}{of}.{key}", their.get(key), my.get(key))
                for key in dict.fromkeys([*their, *my])
                if key != "type" and _plain(their.get(key)) != _plain(my.get(key))
            ]
    return found


def _refuse_other_optimisers(former: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    if set(former) != set(own):
        one = "one without a name"
        names = [", ".join(sorted(filter(None, setup))) or one for setup in (former, own)]
        raise does_not_fit("", where, f"it is of {names[0]}, the config has {names[1]}")
    for name, mine in own.items():
        theirs = former[name]
        for key in ("type", "wrapper"):
            if {theirs.get(key), mine[key]} <= set(_PRECISIONS):
                continue  # their states are alike
            if theirs.get(key, mine[key]) != mine[key]:
                fault = f"it is of {theirs[key]}, the config has {mine[key]}"
                raise does_not_fit(name, where, fault)
        if len(theirs["groups"]) != len(mine["groups"]):
            raise does_not_fit(
                name,
                where,
                f"it has {len(theirs['groups'])} groups of parameters, the config makes"
                f" {len(mine['groups'])} (paramwise_cfg)",
            )


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    if isinstance(value, Mapping):  # MultiStepLR's milestones are a counter
        value = list(value)
    return f"{value}"[:120]
