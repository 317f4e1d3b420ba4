"""What a config of players must agree on, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from realdeg.errors import ConfigError, nearest
from realdeg.losses.build import component_of
from realdeg.registry import BACKBONES, DISCRIMINATORS

_CONSTRUCTORS = ("MultiOptimizerConstructor", "SeveralOptimisers")
_SUFFIX = "_step"
_OWN = ("constructor", "paramwise_cfg", "_scope_")


def check_optimisers(cfg: Mapping[str, Any], task: str, players: Sequence[str]) -> None:
    """Refuse optimisers and schedules that are not those of a task's players.

    Args:
        cfg: The config.
        task: The task's type, for messages.
        players: The parts with an optimiser of their own.

    Raises:
        ConfigError: Naming what was found, its place, and what is wanted.
    """
    wrapper = cfg.get("optim_wrapper")
    if not isinstance(wrapper, Mapping):
        return
    steps = [f"{player}{_SUFFIX}" for player in players]
    form = ", ".join(f"{step}=dict(type='OptimWrapper', optimizer=dict(...))" for step in steps)
    constructor = str(wrapper.get("constructor", "")).rpartition(".")[2]
    if constructor and constructor not in _CONSTRUCTORS:
        return  # somebody's own
    if not constructor:
        raise ConfigError(
            f"'optim_wrapper' has one optimiser, and {task} needs one for each player:"
            f" optim_wrapper=dict(constructor='MultiOptimizerConstructor', {form})."
        )
    found = [key for key in wrapper if key not in _OWN]
    for name in found:
        if name not in steps:
            raise ConfigError(
                f"'optim_wrapper.{name}' is no optimiser of {task}, which has"
                f" {' and '.join(steps)}.{nearest(name, steps)}"
            )
    missing = [step for step in steps if step not in found]
    if missing:
        raise ConfigError(
            f"'optim_wrapper' has no {' and no '.join(missing)}, which {task} needs: {form}."
        )
    schedules = cfg.get("param_scheduler")
    if isinstance(schedules, Mapping) and "type" not in schedules:
        for name in schedules:
            if name not in steps:
                raise ConfigError(
                    f"'param_scheduler.{name}' is the schedule of no optimiser; there are"
                    f" {' and '.join(steps)}.{nearest(str(name), steps)}"
                )


def check_turns(
    cfg: Mapping[str, Any], begin: Sequence[str], what: str, every: str | None = None
) -> None:
    """Refuse a part of a task that begins when the run has ended.

    A sample run, which is shortened, passes.

    Args:
        cfg: The config.
        begin: The task's arguments that count iterations; it begins after the sum of them.
        what: What would never happen, for messages.
        every: The argument that says in which iterations it happens from then on, if one does.

    Raises:
        ConfigError: Naming the arguments, and the length of the run.
    """
    last = (cfg.get("train_cfg") or {}).get("max_iters")
    given = {name: cfg["model"].get(name) or 0 for name in begin}
    period = (cfg["model"].get(every) or 1) if every else 1
    if not isinstance(last, int) or cfg.get("sample") or sum(given.values()) + period <= last:
        return
    if period > 1:
        given[str(every)] = period
    given = {name: value for name, value in given.items() if value}
    if not given:
        return
    places = " and ".join(f"'model.{name}'" for name in given)
    values = " and ".join(map(str, given.values()))
    raise ConfigError(
        f"{places} {'is' if len(given) == 1 else 'are'} {values}, and the run ends after {last}"
        f" iterations (train_cfg.max_iters): {what}. Begin earlier, or train for longer."
    )


def check_penalties(cfg: Mapping[str, Any], argument: str = "penalties") -> None:
    """Refuse two penalties of one type.

    Args:
        cfg: The config.
        argument: The task's argument that holds them.

    Raises:
        ConfigError: Naming both places.
    """
    found: dict[str, int] = {}
    for number, penalty in enumerate(cfg["model"].get(argument) or ()):
        name = getattr(component_of(penalty), "__name__", "")
        if name in found:
            raise ConfigError(
                f"'model.{argument}.{number}' is {name}, as is 'model.{argument}.{found[name]}':"
                " make them one, with the sum of their weights."
            )
        found[name] = number


def check_discriminator(
    cfg: Mapping[str, Any],
    channels: int | None,
    place: str = "model.discriminator",
    sizes: Sequence[int] | None = None,
) -> None:
    """Refuse a discriminator of other images than those that training shows it.

    Args:
        cfg: The config, whose training patches count.
        channels: The channels of the images; None: not known yet.
        place: The discriminator's place in the config.
        sizes: The sides of the patches in pixels; None: those of HR.

    Raises:
        ConfigError: If it takes images of another size or another number of channels, naming both
            and what would fit.
    """
    settings: Any = cfg
    for key in place.split("."):
        settings = settings.get(key) if hasattr(settings, "get") else None
    if not isinstance(settings, Mapping) or "type" not in settings:
        return
    kind = DISCRIMINATORS.get(settings["type"])
    name = getattr(kind, "__name__", settings["type"])
    own = settings.get("in_channels", 3)
    if channels is not None and own != channels:
        raise ConfigError(
            f"'{place}.in_channels' is {own} for {name}, and the images have {channels}"
            f" {'channel (luma)' if channels == 1 else 'channels'}: set"
            f" {place}.in_channels={channels}."
        )
    only = kind.only_size(settings) if hasattr(kind, "only_size") else None
    least = only or _least_size(settings, place)
    seen = "HR" if sizes is None else "LR"
    for size in patch_sizes(cfg) if sizes is None else sizes:
        patches = f"patches of {size} x {size} {seen} pixels ({source_of_patch(cfg, size)})"
        if only is not None and size != only:
            free = [n for n in DISCRIMINATORS.names() if _takes_any_size(DISCRIMINATORS.get(n))]
            raise ConfigError(
                f"'{place}' is a {name} for {only} x {only} pixels only, and training shows it"
                f" {patches}: make the two agree ({place}.size or patch_size), or take a"
                f" discriminator of any size ({', '.join(free)})."
            )
        if size < least:
            raise ConfigError(
                f"'{place}' is a {name}, which needs at least {least} x {least} pixels, and"
                f" training shows it {patches}: raise patch_size."
            )


def _least_size(settings: Mapping[str, Any], place: str) -> int:
    """Return the smallest side of an image that a discriminator takes, 1 where it is not known.

    Raises:
        ConfigError: If the discriminator refuses its arguments.
    """
    own = {key: value for key, value in settings.items() if key != "start_from"}
    try:
        with torch.device("meta"):  # its arguments and its least size, without its weights
            return int(getattr(DISCRIMINATORS.build(own), "least_size", 1))
    except ConfigError as error:
        raise ConfigError(f"'{place}': {error}") from error
    except Exception:  # it computes with its weights; it says so itself when it is built
        return 1


def channels_of_backbone(cfg: Mapping[str, Any]) -> int | None:
    """Return the channels of what a config's backbone makes, or None where a file decides."""
    backbone = cfg.get("backbone")
    if not isinstance(backbone, Mapping) or "type" not in backbone:
        return None
    kind = BACKBONES.get(backbone["type"])
    colour = backbone.get("colour") or getattr(kind, "colour", None)
    return {"y": 1, "rgb": 3}.get(str(colour))


def source_of_patch(cfg: Mapping[str, Any], size: int) -> str:
    """Say which ``patch_size`` makes a patch of HR or LR.

    Args:
        cfg: The config.
        size: The side of the patch in pixels.
    """
    hr = hr_size(cfg, size)
    return f"patch_size={hr}" if hr == size else f"LR of patch_size={hr}"


def hr_size(cfg: Mapping[str, Any], size: int) -> int:
    """Return the side of the HR patch of a patch, which is one of HR or LR.

    Args:
        cfg: The config.
        size: The side of the patch in pixels.
    """
    sizes = patch_sizes(cfg)
    if size in sizes:
        return size
    return next((hr for hr in sizes if size in lr_sizes(cfg, (hr,))), size)


def _takes_any_size(kind: Any) -> bool:
    return hasattr(kind, "only_size") and kind.only_size({}) is None


def patch_sizes(cfg: Mapping[str, Any]) -> list[int]:
    """Return the sides in HR pixels of the training patches, as far as the config says them."""
    sizes = {cfg.get("patch_size"), *_sizes_after_all(cfg.get("train_dataloader"))}
    return sorted(size for size in sizes if isinstance(size, int))


def lr_sizes(cfg: Mapping[str, Any], sizes: Sequence[int] | None = None) -> list[int]:
    """Return the sides in LR pixels of the training patches, as far as the config says them.

    Args:
        cfg: The config.
        sizes: The sides in HR pixels; None: those of the config.
    """
    scale = 1 if cfg.get("same_size") else cfg.get("scale")
    if not isinstance(scale, int | float) or not scale:
        return []
    return [int(size // scale) for size in (patch_sizes(cfg) if sizes is None else sizes)]


def _sizes_after_all(value: Any) -> Iterator[int]:
    """Yield the sides that crops leave, of a list of transforms what its last steps leave."""
    if isinstance(value, Mapping):
        if isinstance(value.get("patch_size"), int):
            yield value["patch_size"]
        if str(value.get("type")).endswith("UnpairedDataset"):  # its second part is LR
            yield from _sizes_after_all(list(value.get("datasets") or ())[:1])
            return
        for item in value.values():
            yield from _sizes_after_all(item)
    elif isinstance(value, list | tuple):
        steps = [item for item in value if isinstance(item, Mapping)]
        if not any("patch_size" in step for step in steps):
            for item in steps:
                yield from _sizes_after_all(item)
            return
        size = None
        for step in steps:
            if isinstance(step.get("patch_size"), int):
                size = step["patch_size"]
            elif step.get("type") == "DownsampleHR" and size is not None:
                size //= step.get("factor", 2)
        if size is not None:
            yield size
