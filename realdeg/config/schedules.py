"""Refuse a schedule on a number that a run does not have, or through values it cannot have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from realdeg.config.shape import WEIGHTS, look_up, slot_at, trains_degradation
from realdeg.errors import ConfigError, nearest
from realdeg.registry import BACKBONES, DEGRADATIONS, HOOKS, LOSSES, TASKS
from realdeg.utils.annotations import marks_of, mismatch
from realdeg.utils.argument_types import Geometry
from realdeg.utils.arguments import arguments_of
from realdeg.utils.description import read_description
from realdeg.utils.schedules import Schedule, replaced, rounded, takes_numbers, takes_whole_only


@dataclass(frozen=True)
class _Target:
    """The argument that holds a scheduled number."""

    holder: str
    """The place of the component that takes it."""
    name: str
    annotation: Any
    value: Any
    """As the config has it, or the default."""
    inside: str
    """The path of the number in the argument's value; empty if it is the value."""

    @property
    def path(self) -> str:
        """The path of the number, in which parts go by their index."""
        return f"{self.holder}.{self.name}.{self.inside}".rstrip(".")

    @property
    def whole(self) -> bool:
        return takes_whole_only(self.annotation)


@dataclass(frozen=True)
class _Scheduled:
    """A schedule in a config."""

    place: str
    number: str
    schedule: Schedule
    target: _Target

    def at(self, iteration: int) -> Any:
        value = self.schedule.at(iteration)
        return rounded(value) if self.target.whole else value


def check_schedules(cfg: Mapping[str, Any]) -> None:
    """Refuse schedules of numbers that cannot change so, and curricula of scales not in the run.

    Args:
        cfg: The config; its components are known to exist.

    Raises:
        ConfigError: Naming the place, and the numbers that there are or the values that fit.
    """
    found: list[_Scheduled] = []
    for place, hook in _hooks(cfg, "schedules_a_number"):
        number, points = hook.get("number"), hook.get("points")
        if number is None or points is None:
            missing = "number" if number is None else "points"
            raise ConfigError(f"'{place}' has no {missing}, which a {hook['type']} needs.")
        try:
            schedule = Schedule(points, hook.get("shape", "linear"))
        except ConfigError as error:
            raise ConfigError(f"'{place}.points': {error}") from None
        one = _Scheduled(place, number, schedule, _target(cfg, number, f"{place}.number"))
        for other in found:
            if _overlap(one.target.path, other.target.path):
                raise ConfigError(
                    f"'{place}.number' is '{number}', and '{other.place}' already moves"
                    f" '{other.number}': give each number one schedule."
                )
        found.append(one)
    for one in found:
        _check_values(one, found)
    for place, hook in _hooks(cfg, "opens_scales"):
        _check_stages(hook.get("stages") or (), cfg["model"].get("scales"), place)


def _overlap(path: str, other: str) -> bool:
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _check_stages(stages: Any, scales: Any, place: str) -> None:
    """Refuse a curriculum of scales that are not those of the run."""
    if stages and not scales:
        raise ConfigError(
            f"'{place}.stages' says which scales are drawn, and none are: set model.scales, for"
            " instance [2, 4, 8]."
        )
    for index, (_, drawn) in enumerate(stages):
        odd = [scale for scale in drawn if scale not in scales]
        if odd:
            raise ConfigError(
                f"'{place}.stages.{index}' draws scale {odd[0]:g}, which is not in model.scales"
                f" ({', '.join(f'{scale:g}' for scale in scales)})."
            )
    unused = set(scales or ()) - {scale for _, drawn in stages for scale in drawn}
    if stages and unused:
        raise ConfigError(
            f"'{place}.stages' never draws scale {min(unused):g} of model.scales: add it to a"
            " stage, or remove it there."
        )


def _hooks(cfg: Mapping[str, Any], trait: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    hooks = [(f"custom_hooks.{i}", hook) for i, hook in enumerate(cfg.get("custom_hooks") or ())]
    hooks += [(f"default_hooks.{k}", v) for k, v in (cfg.get("default_hooks") or {}).items()]
    for place, hook in hooks:
        if isinstance(hook, Mapping) and "type" in hook:
            if getattr(look_up(HOOKS, hook["type"], place), trait, False):
                yield place, hook


def _check_values(one: _Scheduled, everything: list[_Scheduled]) -> None:
    """Check an argument at each point, with all schedules that move something in it."""
    target = one.target
    moving = [
        other
        for other in everything
        if (other.target.holder, other.target.name) == (target.holder, target.name)
    ]
    for index, iteration in one.schedule.turns(target.whole):
        numbers = {other.target.inside: other.at(iteration) for other in moving}
        try:
            value = replaced(target.value, numbers, target.name)
        except ConfigError as error:
            raise ConfigError(f"'{one.place}.number' is '{one.number}', but {error}") from None
        wrong = mismatch(value, target.annotation)
        if wrong:
            at = "" if one.schedule.points[index][0] == iteration else f" at iteration {iteration}"
            raise ConfigError(
                f"'{one.place}.points.{index}'{at}: '{target.holder}.{target.name}' {wrong}."
            )


def _target(cfg: Mapping[str, Any], number: str, place: str) -> _Target:
    root, _, path = number.partition(".")
    said = f"'{place}' is '{number}'"
    if root not in ("degradation", "model") or not path:
        raise ConfigError(
            f"{said}: a schedule moves numbers of 'degradation.' or 'model.'. Learning rates follow"
            " 'param_scheduler'."
        )
    task = look_up(TASKS, cfg["model"]["type"], "model")
    if root == "model":
        return _inside(cfg["model"], TASKS, "model", path.split("."), said)
    if cfg.get("degradation") is None:
        raise ConfigError(f"{said}, but the config has no 'degradation'.")
    if trains_degradation(cfg["model"]) or not hasattr(task, "schedule_degradation"):
        raise ConfigError(
            f"{said}, but {task.__name__} trains the degradation here: a schedule needs one that is"
            " fixed, as SuperResolution takes."
        )
    return _inside(cfg["degradation"], DEGRADATIONS, "degradation", path.split("."), said)


def _inside(value: Any, registry: Any, place: str, keys: list[str], said: str) -> _Target:
    """Follow a path into a component, whose arguments may hold others."""
    component, settings = _component(value, registry, place, said)
    name, known = keys[0], arguments_of(component)
    refuse = _Refusal(said, place, component, registry)
    if name not in known:
        refuse.unknown(name)
    parameter = known.parameters[name]
    given = settings.get(name, parameter.default)
    inner = slot_at(name, component)
    if inner is not None and inner in (DEGRADATIONS, LOSSES):
        named = getattr(component, "term_names", None)
        names: list[str] = named(given or ()) if named else []
        where, item, rest = _item(given, names, f"{place}.{name}", keys[1:], said)
        return _inside(item, inner, where, rest, said)
    if registry is DEGRADATIONS and getattr(component, "fitting", None) is not None:
        raise ConfigError(
            f"{said}, but {component.__name__} at '{place}' has learned weights, which belong to"
            " the arguments that it was built with: they cannot change."
        )
    if name not in numbers_of(component, registry):
        refuse.unknown(name)
    annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
    if isinstance(given, str | bool):
        raise ConfigError(f"{said}, but '{place}.{name}' is {given!r:.60}, not a number.")
    return _Target(place, name, annotation, given, ".".join(keys[1:]))


def _item(
    given: Any, names: list[str], place: str, keys: list[str], said: str
) -> tuple[str, Any, list[str]]:
    """Return place and config of the component that a path means, and the rest of the path.

    Args:
        given: A component or a list of them.
        names: The names of those in the list, if they have names.
        place: Its place.
        keys: The path inside.
        said: What the config says, for messages.
    """
    if isinstance(given, list | tuple):
        key = keys[0] if keys else ""
        known = [*map(str, range(len(given))), *names]
        full = key if key in known or not names else f"loss_{key}"
        if full not in known:
            raise ConfigError(
                f"{said}, but '{place}' has no '{key}': it has {', '.join(known) or 'none'}."
            )
        index = known.index(full) % len(given)
        place, given, keys = f"{place}.{index}", given[index], keys[1:]
    if given is None:
        raise ConfigError(f"{said}, but '{place}' is None: there is nothing to change.")
    if not keys:
        raise ConfigError(f"{said}, which is a component: name one of its numbers.")
    return place, given, keys


def _component(value: Any, registry: Any, place: str, said: str) -> tuple[Any, Mapping[str, Any]]:
    """Return a component's class and arguments, from its config, its name or its file."""
    file = value.get("checkpoint") if isinstance(value, Mapping) else None
    if isinstance(value, str) and registry.get(value) is None:
        file = value
    if file is not None and registry in WEIGHTS:
        found = read_description(Path(str(file)))
        if found is None:
            raise ConfigError(f"{said}, but {file} does not describe a degradation.")
        return look_up(registry, found.type, place), found.arguments
    if isinstance(value, str):
        return look_up(registry, value, place), {}
    if isinstance(value, Mapping) and "type" in value:
        return look_up(registry, value["type"], place), value
    if hasattr(value, "arguments"):  # an object that was built in Python
        return type(value), value.arguments
    raise ConfigError(f"{said}, but '{place}' is {value!r:.60}, not a component.")


def numbers_of(component: Any, registry: Any) -> list[str]:
    """Return the arguments of a component that a schedule may change.

    Those of a degradation are all that hold numbers. A loss is asked for its ``weight`` in every
    iteration; what else of a loss or a task may change, its class names in ``scheduled``.

    Args:
        component: The class.
        registry: Its registry.
    """
    parameters = arguments_of(component).parameters
    if registry is not DEGRADATIONS:
        allowed = ("weight", *getattr(component, "scheduled", ()))
        if registry in (TASKS, BACKBONES):
            allowed = tuple(getattr(component, "scheduled", ()))
        return [name for name in parameters if name in allowed]
    return [
        name
        for name, parameter in parameters.items()
        if (takes_numbers(parameter.annotation) or _is_number(parameter.default))
        and not any(isinstance(mark, Geometry) for mark in marks_of(parameter.annotation))
        and slot_at(name, component) is None
        and name != "scale"
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class _Refusal:
    """What a message about a component's numbers needs."""

    said: str
    place: str
    component: Any
    registry: Any

    def unknown(self, name: str) -> NoReturn:
        """Refuse a name, naming the numbers that there are."""
        numbers = numbers_of(self.component, self.registry)
        parts = [
            key
            for key in arguments_of(self.component).parameters
            if slot_at(key, self.component) in (DEGRADATIONS, LOSSES)
        ]
        has = ", ".join([*numbers, *(f"those of {key}" for key in parts)]) or "none"
        raise ConfigError(
            f"{self.said}, but {self.component.__name__} at '{self.place}' has no number '{name}'"
            f" that can change over a run.{nearest(name, numbers)} It has: {has}."
        )
