"""What a config of players must agree on, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from realdeg.errors import ConfigError, nearest
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


def check_discriminator(
    cfg: Mapping[str, Any], channels: int | None, place: str = "model.discriminator"
) -> None:
    """Refuse a discriminator of other images than those that training shows it.

    Args:
        cfg: The config, whose training patches count.
        channels: The channels of the images; None: not known yet.
        place: The discriminator's place in the config.

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
    if only is None:
        return
    for size in patch_sizes(cfg):
        if size != only:
            free = [n for n in DISCRIMINATORS.names() if _takes_any_size(DISCRIMINATORS.get(n))]
            raise ConfigError(
                f"'{place}' is a {name} for {only} x {only} pixels only, and training shows it"
                f" patches of {size} x {size} HR pixels (patch_size={size}): make the two agree"
                f" ({place}.size or patch_size), or take a discriminator of any size"
                f" ({', '.join(free)})."
            )


def channels_of_backbone(cfg: Mapping[str, Any]) -> int | None:
    """Return the channels of what a config's backbone makes, or None where a file decides."""
    backbone = cfg.get("backbone")
    if not isinstance(backbone, Mapping) or "type" not in backbone:
        return None
    kind = BACKBONES.get(backbone["type"])
    colour = backbone.get("colour") or getattr(kind, "colour", None)
    return {"y": 1, "rgb": 3}.get(str(colour))


def _takes_any_size(kind: Any) -> bool:
    return hasattr(kind, "only_size") and kind.only_size({}) is None


def patch_sizes(cfg: Mapping[str, Any]) -> list[int]:
    """Return the sides in HR pixels of the training patches, as far as the config says them."""
    sizes = {cfg.get("patch_size"), *_sizes_after_all(cfg.get("train_dataloader"))}
    return sorted(size for size in sizes if isinstance(size, int))


def _sizes_after_all(value: Any) -> Iterator[int]:
    """Yield the sides that crops leave, of a list of transforms what its last steps leave."""
    if isinstance(value, Mapping):
        if isinstance(value.get("patch_size"), int):
            yield value["patch_size"]
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
